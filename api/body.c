/* SPDX-License-Identifier: Apache-2.0 */
#include "api/body.h"

#include "api/answer.h"
#include "common/names.h"

#include <stdio.h>
#include <string.h>

static void answer_unknown(struct http_request *request, const struct body_field *fields,
			   size_t n_fields)
{
	char names[256];
	size_t used = 0;

	for (size_t i = 0; i < n_fields && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s\"%s\"",
					 i ? ", " : "", fields[i].name);
	http_answer_error(request, 400, "unknown field in the body: it takes %s", names);
}

/* Answers and returns false when @value is not allowed for @field. */
static bool field_take(struct http_request *request, const struct body_field *field,
		       const json_t *value)
{
	const char *text = json_string_value(value);

	if (json_is_null(value))
		return true;
	if (!field->text && json_is_boolean(value)) {
		*field->flag = json_is_true(value);
		return true;
	}
	if (!field->text) {
		http_answer_error(request, 400, "\"%s\" is true or false", field->name);
		return false;
	}
	if (!text || strlen(text) > field->max || !text_line_valid(text)) {
		http_answer_error(request, 400, "\"%s\" takes text of at most %zu bytes",
				  field->name, field->max);
		return false;
	}
	*field->text = text;
	return true;
}

bool body_read(struct http_request *request, const struct body_field *fields, size_t n_fields,
	       json_t **ret_body)
{
	const char *name;
	json_t *body, *value;

	*ret_body = NULL;
	if (!request->body_size)
		return true;
	body = json_loadb(request->body, request->body_size, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(body)) {
		http_answer_error(request, 400, "the body is not a JSON object");
		goto refused;
	}
	json_object_foreach (body, name, value) {
		size_t i = 0;

		while (i < n_fields && strcmp(name, fields[i].name) != 0)
			i++;
		if (i == n_fields) {
			answer_unknown(request, fields, n_fields);
			goto refused;
		}
		if (!field_take(request, &fields[i], value))
			goto refused;
	}
	*ret_body = body;
	return true;
refused:
	json_decref(body);
	return false;
}
