/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/plan.h"

#include "common/cleanup.h"
#include "common/json_writer.h"
#include "common/limits.h"

static const struct {
	enum plan_side side;
	const char *word;
} verbs[] = {
#define PLAN_LINE(name, side, word) [PLAN_##name] = {PLAN_SIDE_##side, word},
	PLAN_VERBS(PLAN_LINE)
#undef PLAN_LINE
};
_Static_assert(ARRAY_SIZE(verbs) == PLAN_NUM_VERBS, "every verb has a line");

enum plan_side plan_verb_side(enum plan_verb verb)
{
	return verbs[verb].side;
}

static void print_value(const struct plan_op *op, FILE *out)
{
	switch (op->verb) {
	case PLAN_SCRATCH_DIR:
		fprintf(out, " mode %04llo", (unsigned long long)op->value);
		break;
	case PLAN_IDS:
		fprintf(out, " 0-65535 inside are %llu-%llu outside, larger ones %u-%u",
			(unsigned long long)op->value, (unsigned long long)op->value + 65535,
			ID_LARGE_FIRST, ID_LARGE_FIRST + ID_LARGE_COUNT - 1);
		break;
	case PLAN_BECOME_INIT:
		fprintf(out, " as user %llu, no capabilities, no_new_privs",
			(unsigned long long)op->value);
		break;
	case PLAN_CLOCKS:
		fprintf(out, " begin at %llu s", (unsigned long long)op->value);
		break;
	case PLAN_SCRATCH:
		fprintf(out, " tmpfs of %llu bytes", (unsigned long long)op->value);
		break;
	case PLAN_LIMIT:
	case PLAN_RUN_LIMIT:
		if (!op->source)
			fprintf(out, " %llu", (unsigned long long)op->value);
		break;
	case PLAN_RLIMIT:
		fprintf(out, " %llu", (unsigned long long)op->value);
		break;
	default:
		break;
	}
}

static void print_flags(const struct plan_op *op, FILE *out)
{
	if (op->verb == PLAN_BIND)
		fprintf(out, op->flags & PLAN_WRITABLE ? " writable" : " read-only");
	if (op->flags & PLAN_READ_ONLY)
		fprintf(out, " read-only");
	if (op->flags & PLAN_IDMAP_STEP)
		fprintf(out, " ids shifted");
	if (op->flags & PLAN_IDMAP_IMAGE)
		fprintf(out, " ids of images shifted");
	if (op->flags & PLAN_IDMAP_IMAGE)
		fprintf(out, " ids of images shifted");
	if (op->flags & PLAN_IDMAP_OWNER)
		fprintf(out, " owner %u:%u is root inside", op->owner_uid, op->owner_gid);
	if (op->flags & PLAN_OPTIONAL)
		fprintf(out, " if present");
}

static const char *const sides[] = {
	[PLAN_SIDE_HOST] = "host", [PLAN_SIDE_STEP] = "step", [PLAN_SIDE_INSIDE] = "init"};

void plan_print(const struct plan *plan, FILE *out)
{
	for (size_t i = 0; i < plan->n_ops; i++) {
		const struct plan_op *op = &plan->ops[i];

		/* padded, unless it is the last column */
		fprintf(out, "%s  %-*s", sides[verbs[op->verb].side],
			op->source || op->target || op->value ? 12 : 0, verbs[op->verb].word);
		if (op->source && op->verb != PLAN_SCRATCH_FILE)
			fprintf(out, " %s", op->source);
		if (op->source && op->target && op->verb != PLAN_SCRATCH_FILE)
			fprintf(out, " ->");
		if (op->target)
			fprintf(out, " %s", op->target);
		print_value(op, out);
		print_flags(op, out);
		fputc('\n', out);
	}
}

/* ---- for programs ---- */

/* Verbs for which 0 is a value, not the absence of one. */
static bool has_value(const struct plan_op *op)
{
	switch (op->verb) {
	case PLAN_LIMIT:
	case PLAN_RUN_LIMIT:
		return !op->source; /* or the text of several */
	case PLAN_IDS:
	case PLAN_CLOCKS:
	case PLAN_SCRATCH:
	case PLAN_SCRATCH_DIR:
	case PLAN_RLIMIT:
	case PLAN_BECOME_INIT:
		return true;
	default:
		return false;
	}
}

static void put_op(struct json *json, const struct plan_op *op)
{
	static const struct {
		unsigned flag; /* enum plan_flags */
		const char *name;
	} flags[] = {
		{PLAN_WRITABLE, "writable"},	    {PLAN_OPTIONAL, "if-present"},
		{PLAN_IDMAP_STEP, "ids-shifted"},   {PLAN_IDMAP_OWNER, "owner-is-root"},
		{PLAN_RECURSIVE, "with-submounts"}, {PLAN_IDMAP_IMAGE, "image-ids-shifted"},
		{PLAN_READ_ONLY, "read-only"},
	};

	json_open(json, NULL, '{');
	json_text(json, "side", sides[verbs[op->verb].side]);
	json_text(json, "verb", verbs[op->verb].word);
	if (op->source)
		json_text(json, op->verb == PLAN_SCRATCH_FILE ? "content" : "source", op->source);
	if (op->target)
		json_text(json, "target", op->target);
	if (has_value(op))
		json_number(json, "value", op->value);
	if (op->flags & PLAN_IDMAP_OWNER) {
		json_number(json, "owner_uid", op->owner_uid);
		json_number(json, "owner_gid", op->owner_gid);
	}
	json_open(json, "flags", '[');
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (op->flags & flags[i].flag)
			json_text(json, NULL, flags[i].name);
	}
	json_close(json, ']');
	json_close(json, '}');
}

int plan_print_json(const struct plan *plan, const char *warning, bool runs, FILE *out)
{
	cleanup_json struct json json = {0};

	json_open(&json, NULL, '{');
	json_number(&json, "schema", 1);
	json_bool(&json, "runs", runs);
	json_text(&json, "warning", warning);
	json_open(&json, "operations", '[');
	for (size_t i = 0; i < plan->n_ops; i++) {
		json_line(&json);
		put_op(&json, &plan->ops[i]);
	}
	json_line(&json);
	json_close(&json, ']');
	json_close(&json, '}');
	return json_print(&json, out);
}
