/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka wants these before its own header, in this order. */
#ifndef TESTS_UNIT_CMOCKA_HEADERS_H
#define TESTS_UNIT_CMOCKA_HEADERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* keep this line: clang-format would sort cmocka.h upwards */
#include <cmocka.h>

#endif
