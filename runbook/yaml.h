/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_YAML_H
#define RUNBOOK_YAML_H

/*
 * DOC: YAML as a tree
 *
 * libyaml's events become a tree of typed nodes with places. The dialect is
 * strict on purpose: one document, the core schema's types (YAML 1.2, chapter
 * 10.3), text as keys, no duplicate keys, no merge keys, no foreign tags. An
 * alias shares its anchor's node, so the "tree" is a graph without circles;
 * limits count it as if it were written out, because that is what it costs
 * whoever walks it.
 */

#include "runbook/findings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YAML_SCALAR_MAX (256 * KIB)   /* one text */
#define YAML_TEXT_TOTAL_MAX (4 * MIB) /* all text after aliases are expanded */
#define YAML_ANCHORS_MAX 100

enum node_kind {
	NODE_NULL,
	NODE_BOOL,
	NODE_INT,
	NODE_FLOAT,
	NODE_TEXT,
	NODE_LIST,
	NODE_MAP,
	NODE_NUM_KINDS,
};

/** struct node - one value; owned by its document */
struct node {
	enum node_kind kind;
	struct runbook_place place;
	char *text; /* scalars: as written, NUL-terminated, no NUL inside */
	size_t length;
	struct node **items; /* list: entries; map: key, value, key, value, … */
	size_t n_items;
	size_t n_room;
	bool open;	      /* its end has not come yet */
	unsigned height;      /* levels beneath it */
	size_t n_expanded;    /* itself and all beneath it, aliases written out */
	size_t text_expanded; /* bytes of text in them */
	struct node *next;    /* all nodes of the document, for freeing */
};

/** struct document - owner of a tree */
struct document {
	struct node *root; /* NULL when there is nothing but comments */
	struct node *all;
};

/**
 * document_parse() - bytes to tree
 * @data, @size: any bytes
 * @findings:    gets what is wrong; duplicate keys, tags and the like do not
 *               stop the parser, syntax errors and limits do
 * @ret:         filled in any case; document_free() it
 *
 * Return: 0 when the tree is whole (there may be findings), -EINVAL with a
 * finding when it is not, or -ENOMEM.
 */
int document_parse(const char *data, size_t size, struct findings *findings, struct document *ret);
void document_free(struct document *document);

/** node_kind_name() - "a list", "text", … for messages */
const char *node_kind_name(enum node_kind kind);

/** scalar_kind() - type of a plain scalar under the core schema */
enum node_kind scalar_kind(const char *text, size_t length);

/**
 * bytes_check() - what libyaml would not say well: too big, UTF-16, NUL, bad UTF-8
 *
 * Return: true when the bytes may be parsed.
 */
bool bytes_check(const char *data, size_t size, struct findings *findings);

/** struct syntax_error - libyaml's words and places (lines and columns from 0) */
struct syntax_error {
	const char *problem;
	const char *context;
	struct runbook_place problem_place;
	struct runbook_place context_place; /* 0:0 when there is none */
	bool in_reader;			    /* then only @offset tells the place */
	size_t offset;
};

/** syntax_error_report() - a finding with a fix from a syntax error */
void syntax_error_report(const struct syntax_error *error, const char *data, size_t size,
			 struct findings *findings);

#endif
