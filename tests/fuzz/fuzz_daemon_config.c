/* SPDX-License-Identifier: Apache-2.0 */

/* The parser of configuration files: any bytes give a configuration or an error's sentence. */

#include "common/log.h"
#include "daemon/config.h"
#include "daemon/listen.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = config_new();
	struct listen_address address;
	struct error error = ERROR_INIT;
	char *text;

	if (!config || size > CONFIG_FILE_MAX)
		return 0;
	/* exactly @size bytes, so that the sanitizer sees a read past the end */
	text = malloc(size ? size : 1);
	if (!text)
		abort();
	memcpy(text, data, size);
	if (config_parse_main(config, "f", text, size, &error) < 0 && error.text[0] == '\0')
		abort();
	error = ERROR_INIT;
	if (config_parse_project(config, "p", "f", text, size, &error) < 0 && error.text[0] == '\0')
		abort();
	if (config_complete(config, &error) < 0)
		abort();
	/* an accepted configuration can be used */
	for (size_t i = 0; i < config->webhook_listen.n_items; i++) {
		if (listen_parse(config->webhook_listen.items[i], &address, &error) < 0)
			abort();
	}
	free(text);
	(void)config_free(config);
	return 0;
}
