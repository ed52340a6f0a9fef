/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures the time to check a runbook, compared to libyaml parsing the same bytes into events
 * that are dropped. Sizes grow by factors, so that a cost that grows faster than the file
 * shows in the last column.
 */
#include "runbook/runbook.h"

#include "common/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yaml.h>

#define ROUNDS 7

/** struct text - a file that is being written */
struct text {
	char *data;
	size_t size;
};

typedef void write_fn(FILE *out, size_t n);

/* Processor time of this thread, which excludes other work on the machine. */
static double now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Each step depends on the one before it and on one far back. */
static void write_chain(FILE *out, size_t n)
{
	fputs("steps:\n", out);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "  - name: step %zu\n    command: make target-%zu\n", i, i);
		if (i > 0)
			fprintf(out, "    depends_on: [step %zu%s", i - 1, i > 1 ? ", " : "]\n");
		if (i > 1)
			fprintf(out, "step %zu]\n", i / 2 == i - 1 ? 0 : i / 2);
	}
}

/* Every step with many keys */
static void write_rich(FILE *out, size_t n)
{
	fputs("global: {env: {CC: gcc}, attempts: 2, labels: [linux]}\nsteps:\n", out);
	for (size_t i = 0; i < n; i++)
		fprintf(out,
			"  - {name: s%zu, command: x, timeout: 5m, when: {branch: main}, env: {A: "
			"a}}\n",
			i);
}

/* Matrices of 100 instances, ten times as many steps as lines say */
static void write_matrix(FILE *out, size_t n)
{
	fputs("steps:\n", out);
	for (size_t i = 0; i < n / 100; i++)
		fprintf(out,
			"  - {name: m%zu, command: x, image: \"i:{{ matrix.a }}\", matrix: {a: [0, "
			"1, "
			"2, 3, 4, 5, 6, 7, 8, 9], b: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}}\n",
			i);
}

/* Wrong in every step: unknown keys and names that nearly fit */
static void write_wrong(FILE *out, size_t n)
{
	fputs("steps:\n", out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  - {name: step %zu, comand: x, depends_on: [stpe %zu]}\n", i, i);
}

static double bare_ms(const struct text *text)
{
	double best = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		double began = now_ms(), took;
		yaml_parser_t parser;
		bool done = false;

		if (!yaml_parser_initialize(&parser))
			return 0;
		yaml_parser_set_input_string(&parser, (const unsigned char *)text->data,
					     text->size);
		while (!done) {
			yaml_event_t event;

			if (!yaml_parser_parse(&parser, &event))
				break;
			done = event.type == YAML_STREAM_END_EVENT;
			yaml_event_delete(&event);
		}
		yaml_parser_delete(&parser);
		took = now_ms() - began;
		best = took < best ? took : best;
	}
	return best;
}

static double ours_ms(const struct text *text, size_t *ret_steps, size_t *ret_findings)
{
	static struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
	double best = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		double began = now_ms(), took;
		struct runbook *runbook = NULL;

		(void)runbook_parse(text->data, text->size, &runbook, findings, ret_findings);
		*ret_steps = runbook ? runbook->n_steps : 0;
		runbook_free(runbook);
		took = now_ms() - began;
		best = took < best ? took : best;
	}
	return best;
}

static void measure(const char *name, write_fn *write, size_t n)
{
	struct text text = {0};
	FILE *out = open_memstream(&text.data, &text.size);
	size_t n_steps = 0, n_findings = 0;
	double bare, ours;

	if (!out)
		return;
	write(out, n);
	(void)fclose(out);
	bare = bare_ms(&text);
	ours = ours_ms(&text, &n_steps, &n_findings);
	printf("%-22s %6zu %9zu %6zu %4zu %9.2f ms %9.2f ms %6.2f x %8.2f us\n", name, n, text.size,
	       n_steps, n_findings, bare, ours, ours / bare, 1e3 * ours / (double)n);
	free(text.data);
}

int main(void)
{
	static const struct {
		const char *name;
		write_fn *write;
	} kinds[] = {
		{"a chain", write_chain},
		{"many keys", write_rich},
		{"matrices of 100", write_matrix},
		{"wrong everywhere", write_wrong},
	};
	static const size_t sizes[] = {1000, 2000, 5000, 10000};

	printf("%-22s %6s %9s %6s %4s %12s %12s %8s %11s\n", "runbook", "steps", "bytes", "valid",
	       "bad", "libyaml", "runbook", "ratio", "a step");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j++)
			measure(kinds[i].name, kinds[i].write, sizes[j]);
	}
	return 0;
}
