/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/mask.h"

#include "common/cleanup.h"
#include "daemon/mask_nibbles.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define WINDOW 4 /* bytes that are looked up together; no piece is shorter */
#define STRIDE_MAX 16
#define LONG_SIZE 8    /* pieces of at least so many bytes are searched for with strides */
#define SHORT_MANY 256 /* with more short pieces than this, nibbles exclude next to nothing */
#define NOWHERE SIZE_MAX
/* sizes of filters: 2^n bits */
#define FILTER_BITS_MIN 12
#define FILTER_BITS_MAX 24
#define FILTER_BITS_NEAR 21 /* 256 KiB, which fits into the second-level cache */
#define FILTER_SPARE_BITS 5 /* 32 bits for each window: one in 280 other windows passes */
#define NO_PIECE UINT32_MAX
#define LOCKED_MAX (4 * MIB)

_Static_assert(MASK_VALUE_MIN == WINDOW, "the shortest piece is one window");

static const char hidden[] = "***";
#define HIDDEN_SIZE (sizeof(hidden) - 1)
_Static_assert(HIDDEN_SIZE < MASK_VALUE_MIN, "what is written never overtakes what is read");

/** struct piece - bytes to search for */
struct piece {
	unsigned char bytes[MASK_PIECE_MAX];
	uint32_t size;
	uint32_t prefix; /* index of the longest other piece that this one begins with */
};

/** struct piece_range - all pieces that begin with the same window */
struct piece_range {
	uint32_t window;
	uint32_t first, end; /* indexes of pieces; @end 0: unused */
};

/** struct filter - a Bloom filter: two bits of one word for each window */
struct filter {
	uint32_t *words;
	size_t size; /* bytes */
	unsigned shift;
};

struct mask {
	unsigned n_references;
	struct list_node node;	 /* of the cache */
	struct step_mask values; /* compared by the cache; empty without a cache */
	struct piece *pieces;	 /* sorted, without duplicates */
	size_t n_pieces, pieces_size;
	size_t n_short;
	uint32_t long_min;	    /* bytes of the shortest long piece */
	uint32_t size_max;	    /* bytes of the longest piece */
	struct piece_range *ranges; /* hash table, never more than half full */
	size_t ranges_size;
	unsigned ranges_shift;
	unsigned stride;
	struct filter begins;	     /* the first window of each piece */
	struct filter windows;	     /* the first @stride windows of each long piece */
	struct mask_nibbles nibbles; /* with the short pieces */
	bool use_nibbles;
};

/* ---- memory that is not dumped ---- */

static void *secret_alloc(size_t size)
{
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		return NULL;
	(void)madvise(data, size, MADV_DONTDUMP);
	return data;
}

static void secret_free(void *data, size_t size)
{
	if (!data)
		return;
	explicit_bzero(data, size);
	(void)munmap(data, size);
}

/* ---- pieces ---- */

struct builder {
	struct piece *pieces;
	size_t n_pieces, room;
};

static int builder_grow(struct builder *builder)
{
	size_t room = builder->room ? builder->room * 2 : 256;
	void *grown;

	if (builder->room >= MASK_PIECES_MAX)
		return -E2BIG;
	if (!builder->pieces)
		grown = secret_alloc(room * sizeof(struct piece));
	else /* moves the pages, so no copy of the pieces stays behind */
		grown = mremap(builder->pieces, builder->room * sizeof(struct piece),
			       room * sizeof(struct piece), MREMAP_MAYMOVE);
	if (!grown || grown == MAP_FAILED)
		return -ENOMEM;
	builder->pieces = grown;
	builder->room = room;
	return 0;
}

static int add_piece(struct builder *builder, const char *data, size_t size)
{
	struct piece *piece;

	if (builder->n_pieces == builder->room) {
		int r = builder_grow(builder);

		if (r < 0)
			return r;
	}
	piece = &builder->pieces[builder->n_pieces++];
	memcpy(piece->bytes, data, size);
	piece->size = (uint32_t)size;
	return 0;
}

static int add_form(void *userdata, const char *data, size_t size)
{
	size_t n = (size + MASK_PIECE_MAX - 1) / MASK_PIECE_MAX;

	for (size_t i = 0; i < n; i++) {
		size_t from = size * i / n, to = size * (i + 1) / n;
		int r = add_piece(userdata, data + from, to - from);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_long(const struct piece *piece)
{
	return piece->size >= LONG_SIZE;
}

static int piece_compare(const struct piece *a, const struct piece *b)
{
	int r = memcmp(a->bytes, b->bytes, a->size < b->size ? a->size : b->size);

	return r ? r : (a->size > b->size) - (a->size < b->size);
}

static int order_compare(const void *a, const void *b, void *userdata)
{
	const struct piece *pieces = userdata;

	return piece_compare(&pieces[*(const uint32_t *)a], &pieces[*(const uint32_t *)b]);
}

static bool piece_begins_with(const struct piece *piece, const struct piece *other)
{
	return piece->size > other->size && memcmp(piece->bytes, other->bytes, other->size) == 0;
}

/*
 * Indexes are sorted, not pieces, because qsort(3) copies what it sorts to memory that
 * is not wiped.
 */
static int take_sorted(struct mask *mask, const struct builder *builder)
{
	cleanup_free uint32_t *order = calloc(builder->n_pieces, sizeof(*order));
	struct piece *last = NULL;

	mask->pieces_size = builder->n_pieces * sizeof(struct piece);
	mask->pieces = secret_alloc(mask->pieces_size);
	if (!order || !mask->pieces)
		return -ENOMEM;
	if (mask->pieces_size <= LOCKED_MAX)
		(void)mlock(mask->pieces, mask->pieces_size);
	for (size_t i = 0; i < builder->n_pieces; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, builder->n_pieces, sizeof(*order), order_compare, builder->pieces);
	for (size_t i = 0; i < builder->n_pieces; i++) {
		const struct piece *from = &builder->pieces[order[i]];
		uint32_t prefix;

		if (last && piece_compare(last, from) == 0)
			continue;
		/* the longest prefix is the last piece, or the prefix of that, or of that, … */
		prefix = last ? (uint32_t)(last - mask->pieces) : NO_PIECE;
		while (prefix != NO_PIECE && !piece_begins_with(from, &mask->pieces[prefix]))
			prefix = mask->pieces[prefix].prefix;
		last = &mask->pieces[mask->n_pieces++];
		*last = *from;
		last->prefix = prefix;
		mask->n_short += !is_long(last);
		if (is_long(last) && (mask->long_min == 0 || last->size < mask->long_min))
			mask->long_min = last->size;
		if (last->size > mask->size_max)
			mask->size_max = last->size;
	}
	return 0;
}

/* ---- tables ---- */

static inline uint32_t window_at(const unsigned char *bytes)
{
	uint32_t window;

	memcpy(&window, bytes, sizeof(window));
	return window;
}

/* The higher bits are well mixed: those above 40 choose the word, those above 20 bits of it. */
static inline uint64_t window_hash(uint32_t window)
{
	return window * 0x9e3779b97f4a7c15ULL;
}

static inline unsigned first_bit(uint64_t hash)
{
	return hash >> 20 & 31;
}

static inline unsigned second_bit(uint64_t hash)
{
	return hash >> 28 & 31;
}

/* Return: 0, or 1 when a piece may have this window. */
static inline unsigned filter_passes(const struct filter *filter, uint32_t window)
{
	uint64_t hash = window_hash(window);
	uint32_t word = filter->words[hash >> filter->shift];

	return word >> first_bit(hash) & word >> second_bit(hash) & 1;
}

static unsigned bits_for(size_t n, unsigned spare)
{
	unsigned bits = spare;

	while (bits < 31 && ((size_t)1 << (bits - spare)) < n)
		bits++;
	return bits;
}

static int filter_make(struct filter *filter, const struct mask *mask, unsigned n_windows,
		       bool only_long)
{
	unsigned bits = bits_for(mask->n_pieces * n_windows, FILTER_SPARE_BITS);

	if (bits < FILTER_BITS_MIN)
		bits = FILTER_BITS_MIN;
	if (bits > FILTER_BITS_MAX)
		bits = FILTER_BITS_MAX;
	filter->shift = 64 - (bits - 5);
	filter->size = (size_t)1 << (bits - 3);
	filter->words = secret_alloc(filter->size);
	if (!filter->words)
		return -ENOMEM;
	for (size_t i = 0; i < mask->n_pieces; i++) {
		for (unsigned at = 0; at < n_windows; at++) {
			if (only_long && !is_long(&mask->pieces[i]))
				break;
			uint64_t hash = window_hash(window_at(mask->pieces[i].bytes + at));

			filter->words[hash >> filter->shift] |=
				1U << first_bit(hash) | 1U << second_bit(hash);
		}
	}
	return 0;
}

/* The slot that has the range of @window, or an unused one for it. */
static struct piece_range *range_slot(const struct mask *mask, uint32_t window)
{
	size_t last = mask->ranges_size / sizeof(struct piece_range) - 1;
	size_t at = window_hash(window) >> mask->ranges_shift;

	while (mask->ranges[at].end > 0 && mask->ranges[at].window != window)
		at = (at + 1) & last;
	return &mask->ranges[at];
}

static int ranges_make(struct mask *mask)
{
	unsigned bits = bits_for(mask->n_pieces, 1);

	mask->ranges_shift = 64 - bits;
	mask->ranges_size = sizeof(struct piece_range) << bits;
	mask->ranges = secret_alloc(mask->ranges_size);
	if (!mask->ranges)
		return -ENOMEM;
	for (uint32_t i = 0; i < mask->n_pieces; i++) {
		uint32_t window = window_at(mask->pieces[i].bytes);
		struct piece_range *range = range_slot(mask, window);

		if (range->end == 0)
			*range = (struct piece_range){.window = window, .first = i};
		range->end = i + 1;
	}
	return 0;
}

static void nibbles_make(struct mask *mask)
{
	size_t n = 0;

	mask->use_nibbles = mask->n_short <= SHORT_MANY && mask_nibbles_usable();
	for (size_t i = 0; i < mask->n_pieces && mask->use_nibbles; i++) {
		/* pieces are sorted, so those of a group are similar and its nibbles few */
		if (!is_long(&mask->pieces[i]))
			mask_nibbles_add(&mask->nibbles, mask->pieces[i].bytes,
					 (unsigned)(n++ * 8 / mask->n_short));
	}
}

static int tables_make(struct mask *mask)
{
	size_t n_long = mask->n_pieces - mask->n_short;
	int r;

	mask->stride = n_long > 0 ? mask->long_min - WINDOW + 1 : 1;
	if (mask->stride > STRIDE_MAX)
		mask->stride = STRIDE_MAX;
	while (mask->stride > 1 &&
	       bits_for(n_long * mask->stride, FILTER_SPARE_BITS) > FILTER_BITS_NEAR)
		mask->stride--;
	nibbles_make(mask);
	r = ranges_make(mask);
	if (r == 0)
		r = filter_make(&mask->begins, mask, 1, false);
	if (r == 0)
		r = filter_make(&mask->windows, mask, mask->stride, true);
	return r;
}

/* ---- life ---- */

static void mask_free(struct mask *mask)
{
	list_remove(&mask->node);
	secret_free(mask->pieces, mask->pieces_size);
	secret_free(mask->ranges, mask->ranges_size);
	secret_free(mask->begins.words, mask->begins.size);
	secret_free(mask->windows.words, mask->windows.size);
	step_mask_unmap(&mask->values);
	explicit_bzero(mask, sizeof(*mask)); /* the nibbles are parts of secrets */
	free(mask);
}

int mask_new(const struct step_mask_value *values, size_t n_values, struct mask **ret_mask,
	     struct error *error)
{
	struct builder builder = {.pieces = NULL};
	struct mask *mask;
	int r = 0;

	for (size_t i = 0; i < n_values && r == 0; i++)
		r = mask_forms_each(values[i].data, values[i].size, add_form, &builder);
	if (r == 0 && builder.n_pieces == 0) {
		*ret_mask = NULL;
		return 0;
	}
	mask = r == 0 ? calloc(1, sizeof(*mask)) : NULL;
	if (mask) {
		mask->n_references = 1;
		r = take_sorted(mask, &builder);
		if (r == 0)
			r = tables_make(mask);
		if (r < 0)
			mask_free(mask);
	} else if (r == 0) {
		r = -ENOMEM;
	}
	secret_free(builder.pieces, builder.room * sizeof(struct piece));
	if (r == 0)
		*ret_mask = mask;
	else if (r == -E2BIG)
		return error_set(error, E2BIG,
				 "the step's secrets are too large to be masked in its log: make "
				 "them smaller, or give the step fewer");
	else
		return error_errno(error, -r, "cannot mask the step's secrets in its log");
	return 0;
}

static bool values_equal(const struct step_mask *a, const struct step_mask *b)
{
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

int mask_cache_get(struct mask_cache *cache, int fd, struct mask **ret_mask, struct error *error)
{
	struct step_mask values;
	struct mask *mask;
	int r = step_mask_map(fd, &values);

	if (r < 0)
		return error_errno(error, -r, "cannot read the secrets to mask in the step's log");
	list_each (mask, &cache->masks, node) {
		if (values_equal(&mask->values, &values))
			break;
	}
	if (mask) {
		*ret_mask = mask_ref(mask);
	} else {
		r = mask_new(values.values, values.n_values, &mask, error);
		if (r == 0)
			*ret_mask = mask;
		if (r == 0 && mask) {
			mask->values = values;
			values = (struct step_mask){.values = NULL};
			list_prepend(&cache->masks, &mask->node);
		}
	}
	step_mask_unmap(&values);
	return r;
}

struct mask *mask_ref(struct mask *mask)
{
	if (mask)
		mask->n_references++;
	return mask;
}

struct mask *mask_unref(struct mask *mask)
{
	if (mask && --mask->n_references == 0)
		mask_free(mask);
	return NULL;
}

size_t mask_pieces(const struct mask *mask)
{
	return mask->n_pieces;
}

const char *mask_piece(const struct mask *mask, size_t index, size_t *ret_size)
{
	*ret_size = mask->pieces[index].size;
	return (const char *)mask->pieces[index].bytes;
}

/* ---- looking up ---- */

/* Compare a piece with a text: 0 when the text begins with the piece. */
static int text_compare(const struct piece *piece, const unsigned char *text, size_t size)
{
	int r = memcmp(piece->bytes, text, piece->size < size ? piece->size : size);

	return r ? r : piece->size > size;
}

/* The first piece in [@first, @end) that sorts after @text. */
static uint32_t first_after(const struct mask *mask, uint32_t first, uint32_t end,
			    const unsigned char *text, size_t size)
{
	while (first < end) {
		uint32_t middle = first + (end - first) / 2;

		if (text_compare(&mask->pieces[middle], text, size) > 0)
			end = middle;
		else
			first = middle + 1;
	}
	return first;
}

/*
 * Size of the longest piece that @text, of a window at least, begins with; 0 without one.
 * All pieces that sort between such a piece and the text begin with that piece as well. So it
 * is the last piece before the text, or the prefix of that, or of that, …
 */
static size_t longest_at(const struct mask *mask, const unsigned char *text, size_t size)
{
	const struct piece_range *range = range_slot(mask, window_at(text));
	uint32_t at;

	if (range->end == 0)
		return 0;
	at = first_after(mask, range->first, range->end, text, size);
	if (at == range->first)
		return 0;
	for (at--; at != NO_PIECE; at = mask->pieces[at].prefix) {
		const struct piece *piece = &mask->pieces[at];

		if (piece->size <= size && memcmp(piece->bytes, text, piece->size) == 0)
			return piece->size;
	}
	return 0;
}

/* Whether @text is the beginning of a piece that is longer. */
static bool goes_on(const struct mask *mask, const unsigned char *text, size_t size)
{
	uint32_t first = 0, end = (uint32_t)mask->n_pieces;
	uint32_t at;

	if (size >= WINDOW) {
		const struct piece_range *range;

		if (!filter_passes(&mask->begins, window_at(text)))
			return false;
		range = range_slot(mask, window_at(text));
		first = range->first;
		end = range->end;
	}
	at = first_after(mask, first, end, text, size);
	return at < end && mask->pieces[at].size > size &&
	       memcmp(mask->pieces[at].bytes, text, size) == 0;
}

/* Offset in @text from which on bytes may become a piece when more text follows. */
static size_t undecided_from(const struct mask *mask, const unsigned char *text, size_t size)
{
	size_t at = size >= mask->size_max ? size - mask->size_max + 1 : 0;

	while (at < size && !goes_on(mask, text + at, size - at))
		at++;
	return at;
}

/* The first place at or behind @at where a short piece may begin; beyond @last if none may. */
static size_t next_short(const struct mask *mask, const unsigned char *text, size_t at, size_t last)
{
	if (mask->n_short == 0)
		return NOWHERE;
	while (at <= last) {
		if (mask->use_nibbles)
			at = mask_nibbles_next(&mask->nibbles, text, at, last);
		if (at > last || filter_passes(&mask->begins, window_at(text + at)))
			return at;
		at++;
	}
	return at;
}

/*
 * The first of the windows @at, @at + stride, … that may be in a long piece; beyond @last if
 * none may.
 */
static size_t next_window(const struct mask *mask, const unsigned char *text, size_t at,
			  size_t last)
{
	const struct filter filter = mask->windows;
	const size_t stride = mask->stride;

	if (mask->n_short == mask->n_pieces)
		return NOWHERE;
	while (at + 3 * stride <= last) {
		unsigned found = filter_passes(&filter, window_at(text + at));

		found |= filter_passes(&filter, window_at(text + at + stride));
		found |= filter_passes(&filter, window_at(text + at + 2 * stride));
		found |= filter_passes(&filter, window_at(text + at + 3 * stride));
		if (found)
			break;
		at += 4 * stride;
	}
	while (at <= last && !filter_passes(&filter, window_at(text + at)))
		at += stride;
	return at;
}

/* ---- streams ---- */

void mask_stream_init(struct mask_stream *stream, const struct mask *mask)
{
	*stream = (struct mask_stream){.mask = mask};
}

/** struct row - the current row of marked bytes, and how much of the text was put out */
struct row {
	char *text;
	size_t out;    /* offset for the next byte that is put out */
	size_t copied; /* bytes before this offset were put out, or are hidden */
	bool open;     /* [from, to) is marked, and may grow */
	bool shown;    /* its "***" was put out */
	size_t from, to;
};

static void put_text(struct row *row, size_t until)
{
	if (until <= row->copied)
		return;
	if (row->out != row->copied)
		memmove(row->text + row->out, row->text + row->copied, until - row->copied);
	row->out += until - row->copied;
	row->copied = until;
}

/* Put out the row, as "***" unless that was done before; text before @row->to is final then. */
static void put_row(struct row *row)
{
	if (!row->shown) {
		put_text(row, row->from);
		if (row->to > row->copied) {
			memcpy(row->text + row->out, hidden, HIDDEN_SIZE);
			row->out += HIDDEN_SIZE;
		}
	}
	row->shown = true;
	if (row->to > row->copied)
		row->copied = row->to;
}

static void row_add(struct row *row, size_t at, size_t size)
{
	if (row->open && at <= row->to) {
		if (at + size > row->to)
			row->to = at + size;
		return;
	}
	if (row->open)
		put_row(row);
	row->open = true;
	row->shown = false;
	row->from = at;
	row->to = at + size;
}

static void look_at(const struct mask *mask, struct row *row, size_t size, size_t from,
		    size_t until)
{
	const unsigned char *text = (const unsigned char *)row->text;

	for (size_t at = from; at < until; at++) {
		size_t length = 0;

		if (filter_passes(&mask->begins, window_at(text + at)))
			length = longest_at(mask, text + at, size - at);
		if (length > 0)
			row_add(row, at, length);
	}
}

/*
 * Mark all pieces that begin before @end, in the order of the text. A long piece has at least
 * stride + WINDOW - 1 bytes, so one of the windows at every stride-th place lies within it.
 */
static void search(const struct mask *mask, struct row *row, size_t size, size_t end)
{
	const unsigned char *text = (const unsigned char *)row->text;
	size_t last, window, begin_short;

	if (size < WINDOW)
		return;
	last = size - WINDOW;
	window = next_window(mask, text, mask->stride - 1, last);
	begin_short = next_short(mask, text, 0, last);
	for (;;) {
		size_t begin_long = window > last ? NOWHERE : window + 1 - mask->stride;
		size_t begin = begin_short < begin_long ? begin_short : begin_long;

		if (begin >= end || begin > last)
			return;
		if (begin == begin_long) {
			/* this finds short pieces that begin there, too */
			look_at(mask, row, size, begin, window < end ? window + 1 : end);
			if (begin_short <= window)
				begin_short = next_short(mask, text, window + 1, last);
			window = next_window(mask, text, window + mask->stride, last);
		} else {
			look_at(mask, row, size, begin, begin + 1);
			begin_short = next_short(mask, text, begin + 1, last);
		}
	}
}

/* Mask @size bytes at @data. @last: the stream has ended, so that no byte is held back. */
static size_t stream_advance(struct mask_stream *stream, char *data, size_t size, bool last,
			     char **ret_data)
{
	const struct mask *mask = stream->mask;
	struct row row = {
		.text = data - stream->n_held,
		.open = stream->row_open,
		.shown = true,
		.to = stream->n_covered,
		.copied = stream->n_covered,
	};
	size_t end, begin;

	memcpy(row.text, stream->held, stream->n_held);
	size += stream->n_held;
	if (stream->n_shown > row.copied)
		row.copied = stream->n_shown;
	/* a row that began in shown bytes may have less room left than "***" needs: use theirs */
	begin = stream->n_shown > 0 ? 0 : row.copied;
	row.out = begin;
	end = last ? size : undecided_from(mask, (const unsigned char *)row.text, size);
	stream->n_held = size - end;
	memcpy(stream->held, row.text + end, stream->n_held);
	search(mask, &row, size, end);
	stream->row_open = row.open && row.to >= end;
	if (row.open)
		put_row(&row);
	put_text(&row, end);
	stream->n_covered = stream->row_open ? row.to - end : 0;
	stream->n_shown = stream->n_shown > end ? stream->n_shown - end : 0;
	*ret_data = row.text + begin;
	return row.out - begin;
}

size_t mask_stream_feed(struct mask_stream *stream, char *data, size_t size, char **ret_data)
{
	return stream_advance(stream, data, size, false, ret_data);
}

static size_t held_back(const struct mask_stream *stream)
{
	return stream->n_shown > stream->n_covered ? stream->n_shown : stream->n_covered;
}

bool mask_stream_waits(const struct mask_stream *stream)
{
	return stream->n_held < MASK_VALUE_MIN && held_back(stream) < stream->n_held;
}

size_t mask_stream_release(struct mask_stream *stream, char *out)
{
	size_t from = held_back(stream);
	size_t size = stream->n_held - from;

	if (!mask_stream_waits(stream))
		return 0;
	memcpy(out, stream->held + from, size);
	stream->n_shown = stream->n_held;
	return size;
}

size_t mask_stream_finish(struct mask_stream *stream, char *out)
{
	char text[MASK_HEADROOM];
	char *data;
	size_t size = stream_advance(stream, text + stream->n_held, 0, true, &data);

	memcpy(out, data, size);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(stream, sizeof(*stream));
	return size;
}
