/* SPDX-License-Identifier: Apache-2.0 */
/* The queue against examples, invariants and a model that is too slow but plainly right. */
#include "common/cleanup.h"
#include "scheduler/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cmocka_headers.h"

#define N_PROJECTS 6
#define N_ITEMS 400

struct job {
	struct queue_item item;
	int project, number;
	bool running;
};

struct fixture {
	struct queue queue;
	struct queue_project projects[N_PROJECTS];
	struct job jobs[N_ITEMS];
	int n_jobs;
};

static struct fixture *fixture_new(uint64_t limit)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->queue.limit = limit;
	for (int i = 0; i < N_PROJECTS; i++)
		queue_project_init(&fixture->queue, &fixture->projects[i]);
	return fixture;
}

static struct job *job_push(struct fixture *fixture, int project)
{
	struct job *job = &fixture->jobs[fixture->n_jobs];

	job->project = project;
	job->number = fixture->n_jobs++;
	queue_push(&fixture->projects[project], &job->item);
	return job;
}

static struct job *job_next(struct fixture *fixture)
{
	struct queue_item *item = queue_next(&fixture->queue);

	return item ? container_of(item, struct job, item) : NULL;
}

static void test_fifo(void **state)
{
	struct fixture *fixture = fixture_new(100);

	for (int i = 0; i < 10; i++)
		(void)job_push(fixture, 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(job_next(fixture)->number, i);
	assert_null(job_next(fixture));
	free(fixture);
}

static void test_greedy(void **state)
{
	struct fixture *fixture = fixture_new(1);
	const struct job *small;
	int waited = 0;

	for (int i = 0; i < 300; i++)
		(void)job_push(fixture, 0);
	small = job_push(fixture, 1);
	for (;; waited++) {
		const struct job *job = job_next(fixture);

		queue_finished(&fixture->projects[job->project]);
		if (job == small)
			break;
	}
	assert_true(waited <= 1);
	free(fixture);
}

static void test_weights(void **state)
{
	struct fixture *fixture = fixture_new(1);
	int n[2] = {0};

	queue_project_set(&fixture->projects[0], 3, 0, NULL);
	for (int i = 0; i < 150; i++) {
		(void)job_push(fixture, 0);
		(void)job_push(fixture, 1);
	}
	for (int i = 0; i < 100; i++) {
		const struct job *job = job_next(fixture);

		n[job->project]++;
		queue_finished(&fixture->projects[job->project]);
	}
	assert_int_equal(n[0], 75);
	assert_int_equal(n[1], 25);
	free(fixture);
}

static void test_limits_and_holds(void **state)
{
	struct fixture *fixture = fixture_new(3);
	char reason[128];
	struct job *waiting;

	queue_project_set(&fixture->projects[0], 1, 1, NULL);
	queue_project_set(&fixture->projects[1], 1, 0, "project is paused");
	(void)job_push(fixture, 0);
	waiting = job_push(fixture, 0);
	assert_int_equal(job_next(fixture)->number, 0);
	assert_null(job_next(fixture));
	queue_reason(&waiting->item, reason, sizeof(reason));
	assert_string_equal(reason, "project limit 1 reached");
	waiting = job_push(fixture, 1);
	assert_null(job_next(fixture));
	queue_reason(&waiting->item, reason, sizeof(reason));
	assert_string_equal(reason, "project is paused");
	queue_project_set(&fixture->projects[1], 1, 0, NULL);
	assert_ptr_equal(job_next(fixture), waiting);
	queue_running(&fixture->projects[5]); /* from an earlier life */
	waiting = job_push(fixture, 2);
	assert_null(job_next(fixture));
	queue_reason(&waiting->item, reason, sizeof(reason));
	assert_string_equal(reason, "limit 3 of running steps reached");
	queue_finished(&fixture->projects[5]);
	queue_reason(&waiting->item, reason, sizeof(reason));
	assert_string_equal(reason, "starts next");
	queue_remove(&waiting->item);
	queue_remove(&waiting->item);
	assert_null(job_next(fixture));
	assert_int_equal(fixture->queue.n_waiting, 1);
	free(fixture);
}

struct walked {
	int numbers[N_ITEMS];
	uint64_t n;
};

static void walk_visit(const struct queue_item *item, uint64_t position, void *userdata)
{
	struct walked *walked = userdata;

	assert_int_equal(position, walked->n + 1);
	walked->numbers[walked->n++] = container_of(item, struct job, item)->number;
}

/* What the walk foretells is what happens, when one ends after the other. */
static void test_walk(void **state)
{
	struct fixture *fixture = fixture_new(1);
	struct walked *walked = calloc(1, sizeof(*walked));

	queue_project_set(&fixture->projects[1], 2, 0, NULL);
	for (int i = 0; i < 60; i++)
		(void)job_push(fixture, i % 7 % 3);
	for (int i = 0; i < 5; i++)
		queue_finished(&fixture->projects[job_next(fixture)->project]);
	assert_int_equal(queue_walk(&fixture->queue, N_ITEMS, walk_visit, walked), 0);
	assert_int_equal(walked->n, 55);
	for (uint64_t i = 0; i < walked->n; i++) {
		const struct job *job = job_next(fixture);

		assert_int_equal(job->number, walked->numbers[i]);
		queue_finished(&fixture->projects[job->project]);
	}
	free(walked);
	free(fixture);
}

/* ---- property test ---- */

/* The model: plain arrays, everything recomputed by looking at all of it. */
struct model {
	int ring[N_PROJECTS], n_ring; /* ring[0] has the turn */
	uint64_t deficit[N_PROJECTS], weight[N_PROJECTS], limit[N_PROJECTS];
	bool held[N_PROJECTS];
	int waiting[N_PROJECTS][N_ITEMS], n_waiting[N_PROJECTS];
	uint64_t running[N_PROJECTS], n_running, global;
};

static bool model_eligible(const struct model *model, int project)
{
	return model->n_waiting[project] > 0 && !model->held[project] &&
	       (!model->limit[project] || model->running[project] < model->limit[project]);
}

static void model_update(struct model *model)
{
	for (int project = 0; project < N_PROJECTS; project++) {
		int at = 0;

		while (at < model->n_ring && model->ring[at] != project)
			at++;
		if (model_eligible(model, project) && at == model->n_ring) {
			model->ring[model->n_ring++] = project;
			model->deficit[project] = 0;
		} else if (!model_eligible(model, project) && at < model->n_ring) {
			memmove(&model->ring[at], &model->ring[at + 1],
				(size_t)(--model->n_ring - at) * sizeof(int));
		}
	}
}

static int model_next(struct model *model)
{
	int project, number;

	if (model->n_ring == 0 || model->n_running >= model->global)
		return -1;
	project = model->ring[0];
	if (model->deficit[project] == 0)
		model->deficit[project] = model->weight[project];
	number = model->waiting[project][0];
	memmove(model->waiting[project], model->waiting[project] + 1,
		(size_t)--model->n_waiting[project] * sizeof(int));
	model->running[project]++;
	model->n_running++;
	if (--model->deficit[project] == 0) {
		memmove(model->ring, model->ring + 1, (size_t)(model->n_ring - 1) * sizeof(int));
		model->ring[model->n_ring - 1] = project;
	}
	model_update(model);
	return number;
}

static void invariants(const struct fixture *fixture, const struct model *model)
{
	uint64_t running = 0, waiting = 0;

	for (int i = 0; i < N_PROJECTS; i++) {
		const struct queue_project *project = &fixture->projects[i];

		assert_int_equal(project->n_waiting, model->n_waiting[i]);
		assert_int_equal(project->running, model->running[i]);
		running += project->running;
		waiting += project->n_waiting;
	}
	assert_int_equal(fixture->queue.running, running);
	assert_int_equal(fixture->queue.n_waiting, waiting);
}

static void act_push(struct fixture *fixture, struct model *model)
{
	int project = rand() % N_PROJECTS;
	const struct job *job;

	if (fixture->n_jobs == N_ITEMS)
		return;
	job = job_push(fixture, project);
	model->waiting[project][model->n_waiting[project]++] = job->number;
	model_update(model);
}

static void act_next(struct fixture *fixture, struct model *model)
{
	struct job *job = job_next(fixture);

	assert_int_equal(job ? job->number : -1, model_next(model));
	if (!job) {
		/* work-conserving: nothing that could start is left */
		for (int i = 0; i < N_PROJECTS; i++)
			assert_true(!model_eligible(model, i) || model->n_running >= model->global);
		return;
	}
	job->running = true;
	assert_true(fixture->queue.running <= model->global);
	assert_true(!model->limit[job->project] ||
		    fixture->projects[job->project].running <= model->limit[job->project]);
}

static void act_finish(struct fixture *fixture, struct model *model)
{
	for (int i = 0; i < fixture->n_jobs; i++) {
		struct job *job = &fixture->jobs[i];

		if (!job->running || rand() % 2)
			continue;
		job->running = false;
		queue_finished(&fixture->projects[job->project]);
		model->running[job->project]--;
		model->n_running--;
		model_update(model);
		return;
	}
}

static void act_remove(struct fixture *fixture, struct model *model)
{
	struct job *job = fixture->n_jobs ? &fixture->jobs[rand() % fixture->n_jobs] : NULL;
	int *line, at = 0;

	if (!job || !job->item.project)
		return;
	line = model->waiting[job->project];
	while (line[at] != job->number)
		at++;
	memmove(&line[at], &line[at + 1],
		(size_t)(--model->n_waiting[job->project] - at) * sizeof(int));
	queue_remove(&job->item);
	model_update(model);
}

static void act_set(struct fixture *fixture, struct model *model)
{
	int project = rand() % N_PROJECTS;

	model->held[project] = rand() % 4 == 0;
	model->limit[project] = (uint64_t)(rand() % 4);
	queue_project_set(&fixture->projects[project], model->weight[project],
			  model->limit[project], model->held[project] ? "held" : NULL);
	model_update(model);
}

static void test_property(void **state)
{
	static void (*const acts[])(struct fixture *, struct model *) = {
		act_push, act_push,   act_push,	  act_next,   act_next,
		act_next, act_finish, act_finish, act_remove, act_set,
	};

	for (unsigned seed = 1; seed <= 300; seed++) {
		struct fixture *fixture = fixture_new(1 + seed % 5);
		struct model *model = calloc(1, sizeof(*model));

		srand(seed);
		model->global = fixture->queue.limit;
		for (int i = 0; i < N_PROJECTS; i++) {
			model->weight[i] = 1 + (uint64_t)(rand() % 4);
			queue_project_set(&fixture->projects[i], model->weight[i], 0, NULL);
		}
		for (int i = 0; i < 1000; i++) {
			acts[rand() % (int)ARRAY_SIZE(acts)](fixture, model);
			invariants(fixture, model);
		}
		free(model);
		free(fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fifo),	cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_weights), cmocka_unit_test(test_limits_and_holds),
		cmocka_unit_test(test_walk),	cmocka_unit_test(test_property),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
