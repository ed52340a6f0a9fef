/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/image.h"
#include "common/remove_tree.h"
#include "common/step_user.h"
#include "images/oci.h"
#include "images/report.h"
#include "images/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cmocka_headers.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static void names(void **state)
{
	static const char *const good[] = {"debian", "debian:12", "a.b:5000/c/d:e", "x@sha256",
					   "A"};
	static const char *const bad[] = {"",	 "/a", "a/", "a//b", "a/../b", "a b",
					  "a+b", ".a", "-a", "a/.b", "a:",     "\xc3\xa4"};
	char out[IMAGE_NAME_MAX + 16], longest[IMAGE_NAME_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(image_name_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(image_name_valid(bad[i]));
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_false(image_name_valid(longest));
	longest[IMAGE_NAME_MAX] = '\0';
	assert_true(image_name_valid(longest));
	image_name_file("a.b:5000/c/d", out);
	assert_string_equal(out, "a.b:5000+c+d");
	image_name_default("a.b:5000/c", out, sizeof(out));
	assert_string_equal(out, "a.b:5000/c:latest");
	image_name_default("c:1", out, sizeof(out));
	assert_string_equal(out, "c:1");
	assert_true(image_name_is_reference("docker://debian"));
	assert_true(image_name_is_reference("localhost/x"));
	assert_true(image_name_is_reference("registry.example/x"));
	assert_true(image_name_is_reference("host:5000/x"));
	assert_false(image_name_is_reference("debian:12"));
	assert_false(image_name_is_reference("tools/x"));
	assert_string_equal(image_name_strip("docker://debian"), "debian");
}

static struct image_record record_example(void)
{
	struct image_record record = {.id = ID_A,
				      .source = "docker",
				      .workdir = "/srv",
				      .created_usec = 7,
				      .uid = 5,
				      .passwd = "user::5:6\n"};

	record.env[record.n_env++] = "A=b\nc";
	record.layers[record.n_layers++] = ID_B;
	record.layers[record.n_layers++] = ID_C;
	record.blobs[record.n_blobs++] = ID_A;
	return record;
}

static void records(void **state)
{
	static const char *const bad[] = {"ishort", "u65536:0", "u1", "wrelative", "eNOVALUE",
					  "lxyz",   "t-1",	"?x", "s\x1b"};
	struct image_record record = record_example(), again;
	cleanup_free char *data = NULL;
	size_t size;

	assert_int_equal(image_record_format(&record, &data, &size), 0);
	assert_int_equal(image_record_parse(data, size, &again), 0);
	assert_string_equal(again.id, ID_A);
	assert_string_equal(again.workdir, "/srv");
	assert_string_equal(again.passwd, "user::5:6\n");
	assert_null(again.group);
	assert_string_equal(again.env[0], "A=b\nc");
	assert_string_equal(again.layers[1], ID_C);
	assert_int_equal(again.uid, 5);
	for (size_t cut = 1; cut < size; cut++)
		(void)image_record_parse(data, cut, &again); /* no read behind its end */
	assert_int_equal(image_record_parse(data, size - 1, &again), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_free char *worse = malloc(size + 80);

		memcpy(worse, data, size);
		memcpy(worse + size, bad[i], strlen(bad[i]) + 1);
		assert_int_equal(image_record_parse(worse, size + strlen(bad[i]) + 1, &again),
				 -EBADMSG);
	}
}

#define REPORT(text) text, sizeof(text) /* with the last NUL */

static void reports(void **state)
{
	struct report report;

	assert_int_equal(report_parse(REPORT("D" ID_A "\0B12\0N3\0Oa/b\0O\0Pp\0Gg\0."), &report),
			 0);
	assert_string_equal(report.layer, ID_A);
	assert_int_equal(report.n_opaque, 1);
	assert_string_equal(report.opaque[0], "a/b");
	assert_true(report.cut);
	assert_string_equal(report.passwd, "p");
	report_clear(&report);
	assert_int_equal(report_parse(REPORT("Xis bad\0."), &report), 0);
	assert_string_equal(report.refusal, "is bad");
	report_clear(&report);
	assert_int_equal(report_parse(REPORT("M\0Xis bad\0."), &report), 0);
	assert_true(report.damaged);
	report_clear(&report);
	/* damage is told by a code, not by the sentence, which may contain names of the layer */
	assert_int_equal(report_parse(REPORT("X\"a is damaged\" is bad\0."), &report), 0);
	assert_false(report.damaged);
	report_clear(&report);
	assert_int_equal(report_parse(REPORT("M\0D" ID_A "\0."), &report), -EBADMSG);
	/* the errno value of a failed call comes with its sentence, and only then */
	assert_int_equal(report_parse(REPORT("E28\0Xcannot write\0."), &report), 0);
	assert_int_equal(report.number, ENOSPC);
	report_clear(&report);
	assert_int_equal(report_parse(REPORT("XNo space left on device\0."), &report), 0);
	assert_int_equal(report.number, 0);
	report_clear(&report);
	assert_int_equal(report_parse(REPORT("E28\0D" ID_A "\0."), &report), -EBADMSG);
	assert_int_equal(report_parse(REPORT("E0\0Xis bad\0."), &report), -EBADMSG);
	assert_int_equal(report_parse(REPORT("E4096\0Xis bad\0."), &report), -EBADMSG);
	assert_int_equal(report_parse(REPORT("Mx\0Xis bad\0."), &report), -EBADMSG);
	assert_int_equal(report_parse(REPORT("D" ID_A "\0B12"), &report), -EBADMSG); /* cut off */
	assert_int_equal(report_parse(REPORT("B12\0."), &report), -EBADMSG);	     /* no id */
	assert_int_equal(report_parse(REPORT("D" ID_A "\0O/etc\0."), &report), -EBADMSG);
	assert_int_equal(report_parse(REPORT("D" ID_A "\0B1x\0."), &report), -EBADMSG);
	assert_int_equal(report_parse("", 0, &report), -EBADMSG);
}

static void users(void **state)
{
	static const char passwd[] = "root:x:0:0::/:/bin/sh\nuser:x:1000:1001::/:/bin/sh\n"
				     "bad:x:70000:1::/:/bin/sh\nshort:x\n";
	static const char group[] = "root:x:0:\nstaff:x:50:user\n";
	static const struct {
		const char *user;
		int r;
		uint32_t uid, gid;
	} cases[] = {
		{"", 0, 0, 0},
		{"user", 0, 1000, 1001},
		{"user:staff", 0, 1000, 50},
		{"1000", 0, 1000, 1001},
		{"77", 0, 77, 0},
		{"77:88", 0, 77, 88},
		{"use", -EINVAL, 0, 0},
		{"bad", -EINVAL, 0, 0},
		{"short", -EINVAL, 0, 0},
		{"user:none", -EINVAL, 0, 0},
		{"70000", -EINVAL, 0, 0},
		{"0", 0, 0, 0},
	};
	struct error error = ERROR_INIT;
	uint32_t uid, gid;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = step_user_resolve(cases[i].user, passwd, group, &uid, &gid, &error);

		assert_int_equal(r, cases[i].r);
		if (r == 0) {
			assert_int_equal(uid, cases[i].uid);
			assert_int_equal(gid, cases[i].gid);
		}
	}
	assert_int_equal(step_user_resolve("user", NULL, NULL, &uid, &gid, &error), -EINVAL);
	assert_int_equal(step_user_resolve("www-data", step_user_host_passwd, step_user_host_group,
					   &uid, &gid, &error),
			 0);
	assert_int_equal(uid, 33);
}

static void users_kept(void **state)
{
	static const char passwd[] = "root:x:0:0::/:/bin/sh\n\nbad:x:70000:1::/\nshort:x\n"
				     "a b:x:1:1::/\n:x:2:2\nuser:secret:1000:100::/:/bin/sh";
	char *text = step_user_compact(passwd, 2, 100);
	struct error error = ERROR_INIT;
	uint32_t uid, gid;

	assert_string_equal(text, "root::0:0\nuser::1000:100\n");
	assert_int_equal(step_user_resolve("user", text, NULL, &uid, &gid, &error), 0);
	assert_int_equal(uid, 1000);
	assert_int_equal(gid, 100);
	free(text);
	text = step_user_compact("root:x:0:\nstaff:x:50:user\n", 1, 100);
	assert_string_equal(text, "root::0\nstaff::50\n");
	free(text);
	text = step_user_compact(passwd, 2, 12); /* lines that do not fit are left out */
	assert_string_equal(text, "root::0:0\n");
	free(text);
	assert_null(step_user_compact(NULL, 2, 100));
}

static void user_names(void **state)
{
	static const char *const good[] = {"nobody",	   "0",	 "1000:1000", "www-data",
					   "_apt:nogroup", "a.b"};
	static const char *const bad[] = {"", ":", "a:", ":b", "a:b:c", "a b", "-a", "a/b", "a\n"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(step_user_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(step_user_valid(bad[i]));
	assert_true(step_user_is_number("12") && step_user_is_number("12:a"));
	assert_false(step_user_is_number("a12") || step_user_is_number("12a"));
}

static int parse_config(const char *text, struct oci_image *image, struct error *error)
{
	int r;

	*image = (struct oci_image){.layers = calloc(1, sizeof(struct oci_layer)), .n_layers = 1};
	r = oci_parse_config(text, strlen(text), image, error);
	return r;
}

static void configurations(void **state)
{
	static const char *const bad[] = {
		"[]",
		"{",
		"{\"rootfs\":{\"diff_ids\":[]}}",
		"{\"os\":\"plan9\",\"rootfs\":{\"diff_ids\":[\"sha256:" ID_A "\"]}}",
		"{\"rootfs\":{\"diff_ids\":[\"md5:" ID_A "\"]}}",
		"{\"config\":{\"WorkingDir\":\"a\"},\"rootfs\":{\"diff_ids\":[\"sha256:" ID_A
		"\"]}}",
		"{\"config\":{\"Env\":[1]},\"rootfs\":{\"diff_ids\":[\"sha256:" ID_A "\"]}}",
	};
	struct error error = ERROR_INIT;
	struct oci_image image;

	assert_int_equal(parse_config("{\"os\":\"linux\",\"config\":{\"Env\":[\"A=1\",\"0=x\"],"
				      "\"User\":\"u\",\"WorkingDir\":\"/\"},"
				      "\"rootfs\":{\"diff_ids\":[\"sha256:" ID_A "\"]}}",
				      &image, &error),
			 0);
	assert_string_equal(image.layers[0].id, ID_A);
	assert_string_equal(image.workdir, "");
	assert_string_equal(image.user, "u");
	assert_int_equal(image.n_env, 1); /* a name that a shell cannot use is left out */
	oci_clear(&image);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		error = ERROR_INIT;
		assert_true(parse_config(bad[i], &image, &error) < 0);
		assert_true(error.text[0] != '\0');
		oci_clear(&image);
	}
}

static void count_layer(void *userdata, const char *layer)
{
	(*(int *)userdata)++;
}

static void stores(void **state)
{
	char directory[] = "/tmp/rbtest-images-XXXXXX", id[IMAGE_ID_SIZE];
	struct image_record record = record_example(), again;
	struct store_layer facts = {.bytes = 3, .cut = true, .passwd = (char *)"p"}, read;
	struct store store = STORE_NULL;
	struct error error = ERROR_INIT;
	char *data;
	size_t size;
	uint64_t n_images;
	int forgotten = 0;

	assert_non_null(mkdtemp(directory));
	assert_int_equal(store_open(&store, directory, &error), 0);
	assert_int_equal(store_layer_put(&store, ID_B, &facts), 0);
	assert_int_equal(store_layer_put(&store, ID_C, &facts), 0);
	assert_int_equal(store_image_put(&store, &record), 0);
	assert_int_equal(store_name_put(&store, "a/b:1", ID_A), 0);
	assert_int_equal(store_name_get(&store, "a/b:1", id), 0);
	assert_string_equal(id, ID_A);
	assert_int_equal(store_image_get(&store, ID_A, &data, &size, &again), 0);
	assert_int_equal(again.n_layers, 2);
	free(data);
	assert_int_equal(store_layer_get(&store, ID_B, &read), 0);
	assert_true(read.cut && read.bytes == 3);
	assert_string_equal(read.passwd, "p");
	store_layer_clear(&read);
	assert_int_equal(store_prune(&store, count_layer, &forgotten, &n_images), 0);
	assert_int_equal(forgotten, 0); /* it has a name */
	assert_int_equal(store_name_remove(&store, "a/b:1"), 0);
	assert_int_equal(store_name_remove(&store, "a/b:1"), -ENOENT);
	assert_int_equal(store_prune(&store, count_layer, &forgotten, &n_images), 0);
	assert_int_equal(forgotten, 2);
	assert_int_equal(n_images, 1);
	assert_int_equal(store_image_get(&store, ID_A, &data, &size, &again), -ENOENT);
	/* a damaged record is not an image */
	assert_int_equal(file_replace(store.fd, "images/" ID_A, "junk", 4, 0600), 0);
	assert_int_equal(store_image_get(&store, ID_A, &data, &size, &again), -EBADMSG);
	store_close(&store);
	assert_int_equal(remove_tree(AT_FDCWD, directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),	  cmocka_unit_test(records),
		cmocka_unit_test(reports),	  cmocka_unit_test(users),
		cmocka_unit_test(users_kept),	  cmocka_unit_test(user_names),
		cmocka_unit_test(configurations), cmocka_unit_test(stores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
