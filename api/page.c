/* SPDX-License-Identifier: Apache-2.0 */

/* The web page: the files of ui/ are built into the program. */

#include "api/handlers.h"

#include "api/answer.h"
/* The assembler includes the file, so no tool has to turn it into C. */
#define EMBED(symbol, path)                                                                        \
	__asm__(".pushsection .rodata,\"a\",@progbits\n"                                           \
		".type " #symbol ", @object\n" #symbol ":\n"                                       \
		".incbin \"" path "\"\n"                                                           \
		".type " #symbol "_end, @object\n" #symbol "_end:\n"                               \
		".byte 0\n"                                                                        \
		".popsection\n");                                                                  \
	extern const char symbol[];                                                                \
	extern const char symbol##_end[]

EMBED(page_html, "ui/index.html");
EMBED(page_script, "ui/app.js");
EMBED(page_log, "ui/log.js");
EMBED(page_style, "ui/style.css");

#define PAGE_POLICY                                                                                \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "            \
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static void answer_embedded(struct http_request *request, const char *data, const char *end,
			    const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		(size_t)(end - data), (void *)data, MHD_RESPMEM_PERSISTENT);

	if (response) {
		(void)MHD_add_response_header(response, "Content-Type", type);
		(void)MHD_add_response_header(response, "Content-Security-Policy", PAGE_POLICY);
	}
	http_answer(request, 200, response);
}

void handle_page(struct http_request *request)
{
	answer_embedded(request, page_html, page_html_end, "text/html; charset=utf-8");
}

void handle_script(struct http_request *request)
{
	answer_embedded(request, page_script, page_script_end, "text/javascript; charset=utf-8");
}

void handle_log_script(struct http_request *request)
{
	answer_embedded(request, page_log, page_log_end, "text/javascript; charset=utf-8");
}

void handle_style(struct http_request *request)
{
	answer_embedded(request, page_style, page_style_end, "text/css; charset=utf-8");
}
