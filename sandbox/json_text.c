/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/json_text.h"

#include "common/names.h"

#include <string.h>

void json_text_print(FILE *out, const char *text)
{
	char readable[1024] = "";

	if (!utf8_valid(text, strlen(text))) {
		text_escape(readable, sizeof(readable), text);
		text = readable;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			fprintf(out, "\\u%04x", (unsigned)*text);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}
