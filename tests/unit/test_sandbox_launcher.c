/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that do jobs which block, while the thread that wants them goes on. */
#include "sandbox/launcher.h"
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#define JOBS 8

struct job {
	struct launch launch;
	sem_t begun, go;
	pthread_t thread;
	bool signals_blocked;
};

static struct job jobs[JOBS];

static void work(struct launch *launch)
{
	struct job *job = container_of(launch, struct job, launch);
	sigset_t set;

	job->thread = pthread_self();
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
	job->signals_blocked = sigismember(&set, SIGTERM) == 1;
	(void)sem_post(&job->begun);
	while (sem_wait(&job->go) < 0)
		;
}

static void job_put(struct launcher *launcher, struct job *job)
{
	(void)sem_init(&job->begun, 0, 0);
	(void)sem_init(&job->go, 0, 0);
	job->launch = (struct launch){.work = work};
	launcher_put(launcher, &job->launch);
}

static struct launcher *make(unsigned n_threads)
{
	struct error error = ERROR_INIT;
	struct launcher *launcher;

	assert_int_equal(launcher_new(&launcher, n_threads, &error), 0);
	return launcher;
}

static bool readable(const struct launcher *launcher, int timeout_msec)
{
	struct pollfd file = {.fd = launcher_fd(launcher), .events = POLLIN};

	return poll(&file, 1, timeout_msec) == 1;
}

static void tells_what_is_done(void **state)
{
	struct launcher *launcher = make(2);

	for (size_t i = 0; i < 3; i++)
		job_put(launcher, &jobs[i]);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(sem_wait(&jobs[i].begun), 0);
	/* two threads: the third job waits */
	assert_int_not_equal(sem_trywait(&jobs[2].begun), 0);
	assert_false(readable(launcher, 0));
	assert_null(launcher_take(launcher));
	(void)sem_post(&jobs[1].go);
	assert_true(readable(launcher, 10000));
	assert_ptr_equal(launcher_take(launcher), &jobs[1].launch);
	assert_false(readable(launcher, 0));
	assert_int_equal(sem_wait(&jobs[2].begun), 0);
	assert_true(pthread_equal(jobs[2].thread, jobs[1].thread));
	assert_false(pthread_equal(jobs[0].thread, jobs[1].thread));
	assert_false(pthread_equal(jobs[0].thread, pthread_self()));
	assert_true(jobs[0].signals_blocked && jobs[1].signals_blocked);
	(void)sem_post(&jobs[0].go);
	(void)sem_post(&jobs[2].go);
	launcher_wait(launcher, &jobs[0].launch);
	launcher_wait(launcher, &jobs[2].launch);
	/* what was waited for is not told again */
	assert_false(readable(launcher, 0));
	assert_null(launcher_take(launcher));
	assert_null(launcher_free(launcher));
}

/* One thread: the jobs end in the order in which they were put, and all are told at once. */
static void keeps_the_order(void **state)
{
	struct launcher *launcher = make(1);

	for (size_t i = 0; i < JOBS; i++) {
		job_put(launcher, &jobs[i]);
		(void)sem_post(&jobs[i].go);
	}
	launcher_wait(launcher, &jobs[JOBS - 1].launch);
	assert_true(readable(launcher, 0));
	for (size_t i = 0; i < JOBS - 1; i++)
		assert_ptr_equal(launcher_take(launcher), &jobs[i].launch);
	assert_null(launcher_take(launcher));
	assert_false(readable(launcher, 0));
	assert_null(launcher_free(launcher));
}

static void ends_after_its_jobs(void **state)
{
	struct launcher *launcher = make(2);

	for (size_t i = 0; i < JOBS; i++) {
		job_put(launcher, &jobs[i]);
		(void)sem_post(&jobs[i].go);
	}
	assert_null(launcher_free(launcher));
	for (size_t i = 0; i < JOBS; i++)
		assert_int_equal(sem_trywait(&jobs[i].begun), 0);
	assert_null(launcher_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_is_done),
		cmocka_unit_test(keeps_the_order),
		cmocka_unit_test(ends_after_its_jobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
