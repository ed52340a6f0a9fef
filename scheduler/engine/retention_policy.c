/* SPDX-License-Identifier: Apache-2.0 */
/* The rule that a run falls under: no state, no store. */
#include "scheduler/engine/retention.h"

#include "common/cleanup.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const char *const rule_names[] = {
	[RETENTION_KEEP] = "keep",   [RETENTION_AGE] = "age",	  [RETENTION_COUNT] = "count",
	[RETENTION_BYTES] = "bytes", [RETENTION_SPACE] = "space",
};
static_assert(ARRAY_SIZE(rule_names) == RETENTION_RULES, "a rule without a name");

static const struct {
	const char *name; /* singular */
	const char *many; /* plural, for sentences */
} kinds[] = {
	[RETENTION_RUNS] = {"run", "runs"},
	[RETENTION_LOGS] = {"logs", "runs with logs"},
	[RETENTION_ARTIFACTS] = {"artifacts", "runs with artifacts"},
	[RETENTION_TREES] = {"tree", "checked-out commits"},
	[RETENTION_UPLOADS] = {"upload", "uploads"},
	[RETENTION_MIRRORS] = {"mirror", "mirrors"},
};
static_assert(ARRAY_SIZE(kinds) == RETENTION_NUM, "a kind without a name");

const char *retention_rule_name(enum retention_rule rule)
{
	return rule < RETENTION_RULES ? rule_names[rule] : "invalid";
}

const char *retention_kind_name(enum retention_kind kind)
{
	return kind < RETENTION_NUM ? kinds[kind].name : "invalid";
}

static uint64_t first_said(uint64_t own, uint64_t all)
{
	return own ? own : all;
}

struct retention_limit retention_limit_of(const struct retention_policy *own,
					  const struct retention_policy *all,
					  enum retention_kind kind)
{
	return (struct retention_limit){
		.age_sec = first_said(own->kinds[kind].age_sec, all->kinds[kind].age_sec),
		.count = first_said(own->kinds[kind].count, all->kinds[kind].count),
		.bytes = first_said(own->kinds[kind].bytes, all->kinds[kind].bytes),
	};
}

/* 0 is a limit that was never set: it must not mean "none of them". */
static bool over(uint64_t value, uint64_t limit)
{
	return limit != 0 && limit != RETENTION_NO_LIMIT && value > limit;
}

enum retention_rule retention_judge(const struct retention_policy *own,
				    const struct retention_policy *all, enum retention_kind kind,
				    struct retention_sum own_sum, struct retention_sum all_sum,
				    uint64_t age_usec)
{
	struct retention_limit limit = retention_limit_of(own, all, kind);

	/* an age beyond the range of microseconds limits nothing in practice */
	if (limit.age_sec < RETENTION_NO_LIMIT / USEC_PER_SEC &&
	    over(age_usec, limit.age_sec * USEC_PER_SEC))
		return RETENTION_AGE;
	if (over(own_sum.count, limit.count))
		return RETENTION_COUNT;
	if (over(own_sum.bytes, own->kinds[kind].bytes) ||
	    over(all_sum.bytes, all->kinds[kind].bytes))
		return RETENTION_BYTES;
	return RETENTION_KEEP;
}

static void age_text(uint64_t seconds, char *out, size_t size)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;

	while (i < ARRAY_SIZE(units) - 1 && (seconds % units[i].seconds || !seconds))
		i++;
	(void)snprintf(out, size, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
}

void retention_sentence(const struct retention_limit *limit, enum retention_rule rule,
			enum retention_kind kind, char *out, size_t size)
{
	char age[32];

	switch (rule) {
	case RETENTION_AGE:
		age_text(limit->age_sec, age, sizeof(age));
		(void)snprintf(out, size, "it ended more than %s ago", age);
		break;
	case RETENTION_COUNT:
		(void)snprintf(out, size, "its project has more than %" PRIu64 " %s", limit->count,
			       kinds[kind].many);
		break;
	case RETENTION_BYTES:
		(void)snprintf(out, size, "younger ones take as many bytes as are allowed");
		break;
	case RETENTION_SPACE:
		(void)snprintf(out, size, "too little room was left on disk");
		break;
	default:
		(void)snprintf(out, size, "no rule");
		break;
	}
}
