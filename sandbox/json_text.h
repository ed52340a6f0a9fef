/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_JSON_TEXT_H
#define SANDBOX_JSON_TEXT_H

#include <stdio.h>

/**
 * json_text_print() - @text as a JSON string, with its quotation marks
 *
 * Bytes that are no UTF-8 appear as \xNN, as people would see them.
 */
void json_text_print(FILE *out, const char *text);

#endif
