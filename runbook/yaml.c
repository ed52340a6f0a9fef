/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/yaml.h"

#include "common/cleanup.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#define TAG_PREFIX "tag:yaml.org,2002:"

/** struct frame - a list or map whose end has not been read */
struct frame {
	struct node *node;
	struct node_path path; /* of the next value */
};

struct anchor {
	char *name;
	struct node *node;
};

struct builder {
	yaml_parser_t parser;
	struct document *document;
	struct findings *findings;
	struct frame frames[RUNBOOK_DEPTH_MAX];
	size_t depth;
	struct anchor anchors[YAML_ANCHORS_MAX];
	size_t n_anchors;
	size_t n_aliases;
	size_t n_expanded;
	size_t text_expanded;
	size_t n_documents;
	bool done;
};

static struct runbook_place place_of(yaml_mark_t mark)
{
	return (struct runbook_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

/* Path of the value that is about to be attached (of the map, if it is a key); NULL: root. */
static const struct node_path *current_path(struct builder *builder)
{
	const struct frame *frame;

	if (builder->depth == 0)
		return NULL;
	frame = &builder->frames[builder->depth - 1];
	if (frame->node->kind == NODE_MAP && frame->node->n_items % 2 == 0)
		return frame->path.parent;
	return &frame->path;
}

/* Reports a finding that ends the parse. */
static int refuse(struct builder *builder, struct runbook_place place, const char *message,
		  const char *fix)
{
	finding_fix(findings_add(builder->findings, place, current_path(builder), "%s", message),
		    "%s", fix);
	return -EINVAL;
}

static struct node *node_new(struct builder *builder, enum node_kind kind, yaml_mark_t mark)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	node->place = place_of(mark);
	node->n_expanded = 1;
	node->next = builder->document->all;
	builder->document->all = node;
	return node;
}

static int node_append(struct node *list, struct node *item)
{
	if (list->n_items == list->n_room) {
		size_t n_room = list->n_room ? 2 * list->n_room : 4;
		struct node **items = reallocarray(list->items, n_room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->n_room = n_room;
	}
	list->items[list->n_items++] = item;
	return 0;
}

/* ---- attaching ---- */

/* Adds the cost of @node, also for an alias, and refuses to exceed the limits. */
static int charge(struct builder *builder, const struct node *node, struct runbook_place place)
{
	builder->n_expanded += node->n_expanded;
	builder->text_expanded += node->text_expanded;
	if (builder->n_expanded <= RUNBOOK_NODES_MAX &&
	    builder->text_expanded <= YAML_TEXT_TOTAL_MAX)
		return 0;
	if (builder->n_aliases == 0)
		return refuse(builder, place, "the file has too many values (more than 400000)",
			      "split the work into fewer or simpler steps");
	return refuse(builder, place,
		      "the aliases stand for too much (more than 400000 values or 4 MiB of text)",
		      "use fewer aliases, and none of lists full of aliases");
}

/* Checks a key of a map: it must be a plain or quoted text. */
static int check_key(struct builder *builder, const struct node *key, bool is_plain)
{
	if (key->kind == NODE_LIST || key->kind == NODE_MAP)
		return refuse(builder, key->place, "a key must be text, not a list or a map",
			      "write \"key: value\"; a value that begins with [ or { needs quotes");
	if (is_plain && strcmp(key->text, "<<") == 0)
		return refuse(builder, key->place, "merge keys (<<) are not supported",
			      "write the keys out, or use an alias for the whole map");
	return 0;
}

/* Adds @node at the current place of the document: root, next entry, key or value. */
static int attach(struct builder *builder, struct node *node, bool is_plain,
		  struct runbook_place place)
{
	struct frame *frame;
	int r = charge(builder, node, place);

	if (r < 0)
		return r;
	if (builder->depth == 0) {
		builder->document->root = node;
		return 0;
	}
	frame = &builder->frames[builder->depth - 1];
	if (frame->node->kind == NODE_LIST) {
		frame->path.index = frame->node->n_items;
	} else if (frame->node->n_items % 2 == 0) {
		r = check_key(builder, node, is_plain);
		if (r < 0)
			return r;
		frame->path.key = node->text;
	}
	return node_append(frame->node, node);
}

/* Counts the next entry of a list, before a finding about it needs its index. */
static void path_step(struct builder *builder)
{
	struct frame *frame;

	if (builder->depth == 0)
		return;
	frame = &builder->frames[builder->depth - 1];
	if (frame->node->kind == NODE_LIST)
		frame->path.index = frame->node->n_items;
}

static int anchor_add(struct builder *builder, const yaml_char_t *name, struct node *node)
{
	struct anchor *anchor = &builder->anchors[builder->n_anchors];

	if (!name)
		return 0;
	if (builder->n_anchors == YAML_ANCHORS_MAX)
		return refuse(builder, node->place, "more than 100 anchors (&name)",
			      "use fewer anchors");
	anchor->name = strdup((const char *)name);
	if (!anchor->name)
		return -ENOMEM;
	anchor->node = node;
	builder->n_anchors++;
	return 0;
}

/* ---- events ---- */

static int on_ignored(struct builder *builder, yaml_event_t *event)
{
	(void)builder;
	(void)event;
	return 0;
}

static int on_stream_end(struct builder *builder, yaml_event_t *event)
{
	(void)event;
	builder->done = true;
	return 0;
}

static int on_document_start(struct builder *builder, yaml_event_t *event)
{
	if (builder->n_documents++ == 0)
		return 0;
	return refuse(builder, place_of(event->start_mark), "a second document begins here",
		      "keep one document in the file: remove the line \"---\" and what follows");
}

static int on_alias(struct builder *builder, yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct runbook_place place = place_of(event->start_mark);
	struct runbook_finding *finding;

	path_step(builder);
	builder->n_aliases++;
	for (size_t i = builder->n_anchors; i-- > 0;) { /* the last anchor of that name is valid */
		struct node *node = builder->anchors[i].node;

		if (strcmp(builder->anchors[i].name, name) != 0)
			continue;
		if (node->open)
			return refuse(builder, place, "this alias stands for a value it is part of",
				      "write the value out");
		if (builder->depth + node->height > RUNBOOK_DEPTH_MAX)
			return refuse(builder, place, "nested more than 32 levels deep",
				      "flatten the structure");
		return attach(builder, node, true, place);
	}
	finding = findings_add(builder->findings, place, current_path(builder),
			       "no anchor \"&%s\" before this alias", QUOTE(name));
	finding_fix(finding, "define it above, or quote a value that begins with \"*\"");
	return -EINVAL;
}

/* Is the tag absent or @core? "!" makes a scalar text. */
static bool tag_fits(const yaml_char_t *tag, const char *core)
{
	return !tag || strcmp((const char *)tag, "!") == 0 || strcmp((const char *)tag, core) == 0;
}

static void report_tag(struct builder *builder, yaml_event_t *event, const yaml_char_t *tag)
{
	const char *name = (const char *)tag;
	bool is_core = strncmp(name, TAG_PREFIX, strlen(TAG_PREFIX)) == 0;
	struct runbook_finding *finding;

	finding =
		findings_add(builder->findings, place_of(event->start_mark), current_path(builder),
			     "the tag \"%s%s\" is not allowed here", is_core ? "!!" : "",
			     QUOTE(is_core ? name + strlen(TAG_PREFIX) : name));
	finding_fix(finding, "remove it; quote a value to make it text");
}

/* The type of a scalar by its tag, or by its text if it is plain. */
static enum node_kind typed_scalar(struct builder *builder, yaml_event_t *event)
{
	static const struct {
		const char *tag;
		enum node_kind kind;
	} tags[] = {
		{TAG_PREFIX "null", NODE_NULL},
		{TAG_PREFIX "bool", NODE_BOOL},
		{TAG_PREFIX "int", NODE_INT},
		{TAG_PREFIX "float", NODE_FLOAT},
	};
	const char *text = (const char *)event->data.scalar.value;
	const yaml_char_t *tag = event->data.scalar.tag;
	enum node_kind kind = scalar_kind(text, event->data.scalar.length);

	if (!tag)
		return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? kind : NODE_TEXT;
	if (tag_fits(tag, TAG_PREFIX "str"))
		return NODE_TEXT;
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		if (strcmp((const char *)tag, tags[i].tag) == 0 &&
		    (kind == tags[i].kind || (kind == NODE_INT && tags[i].kind == NODE_FLOAT)))
			return tags[i].kind;
	}
	report_tag(builder, event, tag);
	return NODE_TEXT;
}

static int on_scalar(struct builder *builder, yaml_event_t *event)
{
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	size_t length = event->data.scalar.length;
	struct runbook_place place = place_of(event->start_mark);
	struct node *node;
	int r;

	path_step(builder);
	if (length > YAML_SCALAR_MAX)
		return refuse(builder, place, "a text longer than 256 KiB",
			      "put it into a file of the repository");
	if (memchr(event->data.scalar.value, '\0', length))
		return refuse(builder, place, "a NUL character (\"\\0\") in a text",
			      "remove it: neither commands nor variables can hold one");
	node = node_new(builder, typed_scalar(builder, event), event->start_mark);
	if (!node)
		return -ENOMEM;
	/* take libyaml's allocation, which has a NUL after the text */
	node->text = (char *)event->data.scalar.value;
	event->data.scalar.value = NULL;
	node->length = length;
	node->text_expanded = length;
	r = anchor_add(builder, event->data.scalar.anchor, node);
	return r < 0 ? r : attach(builder, node, is_plain, place);
}

static int collection_start(struct builder *builder, yaml_event_t *event, enum node_kind kind,
			    const yaml_char_t *anchor)
{
	struct runbook_place place = place_of(event->start_mark);
	const struct node_path *parent = current_path(builder);
	struct node *node;
	int r;

	if (builder->depth == RUNBOOK_DEPTH_MAX)
		return refuse(builder, place, "nested more than 32 levels deep",
			      "flatten the structure");
	node = node_new(builder, kind, event->start_mark);
	if (!node)
		return -ENOMEM;
	node->open = true;
	r = anchor_add(builder, anchor, node);
	if (r < 0)
		return r;
	r = attach(builder, node, false, place);
	if (r < 0)
		return r;
	builder->frames[builder->depth++] =
		(struct frame){.node = node, .path = {.parent = parent}};
	return 0;
}

static int on_sequence_start(struct builder *builder, yaml_event_t *event)
{
	path_step(builder);
	if (!tag_fits(event->data.sequence_start.tag, TAG_PREFIX "seq"))
		report_tag(builder, event, event->data.sequence_start.tag);
	return collection_start(builder, event, NODE_LIST, event->data.sequence_start.anchor);
}

static int on_mapping_start(struct builder *builder, yaml_event_t *event)
{
	path_step(builder);
	if (!tag_fits(event->data.mapping_start.tag, TAG_PREFIX "map"))
		report_tag(builder, event, event->data.mapping_start.tag);
	return collection_start(builder, event, NODE_MAP, event->data.mapping_start.anchor);
}

static struct node *collection_end(struct builder *builder)
{
	struct node *node = builder->frames[--builder->depth].node;

	node->open = false;
	for (size_t i = 0; i < node->n_items; i++) {
		const struct node *item = node->items[i];

		node->n_expanded += item->n_expanded;
		node->text_expanded += item->text_expanded;
		if (node->height < item->height + 1)
			node->height = item->height + 1;
	}
	return node;
}

static int on_sequence_end(struct builder *builder, yaml_event_t *event)
{
	(void)event;
	(void)collection_end(builder);
	return 0;
}

/** struct map_entry - for finding equal keys by sorting, which is fast for any input */
struct map_entry {
	const struct node *key;
	size_t index;
};

static int entry_compare(const void *left, const void *right)
{
	const struct map_entry *a = left, *b = right;
	int order = strcmp(a->key->text, b->key->text);

	if (order != 0)
		return order;
	return a->index < b->index ? -1 : 1;
}

/* Reports keys that occur twice in the map. */
static int on_mapping_end(struct builder *builder, yaml_event_t *event)
{
	const struct node_path path = builder->frames[builder->depth - 1].path;
	struct node *map = collection_end(builder);
	size_t n = map->n_items / 2, first = 0;
	cleanup_free struct map_entry *entries = NULL;

	(void)event;
	if (n < 2)
		return 0;
	entries = reallocarray(NULL, n, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		entries[i] = (struct map_entry){map->items[2 * i], i};
	qsort(entries, n, sizeof(*entries), entry_compare);
	for (size_t i = 1; i < n; i++) {
		const struct node *key = entries[i].key;
		struct node_path key_path = {.parent = path.parent, .key = key->text};
		struct runbook_finding *finding;

		if (strcmp(entries[first].key->text, key->text) != 0) {
			first = i;
			continue;
		}
		finding = findings_add(builder->findings, key->place, &key_path,
				       "the key \"%s\" stands twice in this map", QUOTE(key->text));
		finding_fix(finding, "remove one; the first is on line %u",
			    entries[first].key->place.line);
	}
	return 0;
}

static int (*const event_handlers[])(struct builder *builder, yaml_event_t *event) = {
	[YAML_NO_EVENT] = on_ignored,
	[YAML_STREAM_START_EVENT] = on_ignored,
	[YAML_STREAM_END_EVENT] = on_stream_end,
	[YAML_DOCUMENT_START_EVENT] = on_document_start,
	[YAML_DOCUMENT_END_EVENT] = on_ignored,
	[YAML_ALIAS_EVENT] = on_alias,
	[YAML_SCALAR_EVENT] = on_scalar,
	[YAML_SEQUENCE_START_EVENT] = on_sequence_start,
	[YAML_SEQUENCE_END_EVENT] = on_sequence_end,
	[YAML_MAPPING_START_EVENT] = on_mapping_start,
	[YAML_MAPPING_END_EVENT] = on_mapping_end,
};

static int parser_failed(struct builder *builder, const char *data, size_t size)
{
	const yaml_parser_t *parser = &builder->parser;
	struct syntax_error error = {
		.problem = parser->problem,
		.context = parser->context,
		.problem_place = place_of(parser->problem_mark),
		.in_reader = parser->error == YAML_READER_ERROR,
		.offset = parser->problem_offset,
	};

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->context)
		error.context_place = place_of(parser->context_mark);
	syntax_error_report(&error, data, size, builder->findings);
	return -EINVAL;
}

static int builder_run(struct builder *builder, const char *data, size_t size)
{
	yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder->parser, (const unsigned char *)data, size);
	while (!builder->done) {
		yaml_event_t event;
		int r;

		if (!yaml_parser_parse(&builder->parser, &event))
			return parser_failed(builder, data, size);
		r = event_handlers[event.type](builder, &event);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
	}
	return 0;
}

int document_parse(const char *data, size_t size, struct findings *findings, struct document *ret)
{
	cleanup_free struct builder *builder = NULL;
	int r;

	*ret = (struct document){0};
	if (!bytes_check(data, size, findings))
		return -EINVAL;
	builder = calloc(1, sizeof(*builder));
	if (!builder)
		return -ENOMEM;
	builder->document = ret;
	builder->findings = findings;
	if (!yaml_parser_initialize(&builder->parser))
		return -ENOMEM;
	r = builder_run(builder, data, size);
	yaml_parser_delete(&builder->parser);
	for (size_t i = 0; i < builder->n_anchors; i++)
		free(builder->anchors[i].name);
	return r;
}

void document_free(struct document *document)
{
	while (document->all) {
		struct node *node = document->all;

		document->all = node->next;
		free(node->text);
		free(node->items);
		free(node);
	}
	document->root = NULL;
}
