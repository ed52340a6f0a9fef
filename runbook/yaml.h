/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_YAML_H
#define RUNBOOK_YAML_H

/*
 * DOC: YAML as a tree
 *
 * The events of libyaml become a tree of typed nodes with places. The dialect is strict on
 * purpose: one document, the types of the core schema (YAML 1.2, chapter 10.3), texts as keys,
 * no duplicate keys, no merge keys, no foreign tags. An alias shares its anchor's node, so the
 * "tree" is a directed graph without circles; limits count each alias as a copy, because that
 * is the cost of walking it.
 */

#include "runbook/findings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YAML_SCALAR_MAX (256 * KIB)   /* one text */
#define YAML_TEXT_TOTAL_MAX (4 * MIB) /* all text after aliases are expanded */
#define YAML_ANCHORS_MAX 100

/** enum node_kind - types of the core schema */
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
	bool open;	      /* its end has not been read yet */
	unsigned height;      /* levels beneath it */
	size_t n_expanded;    /* itself and all beneath it, each alias as a copy */
	size_t text_expanded; /* bytes of text in them */
	struct node *next;    /* all nodes of the document, for freeing */
};

/** struct document - owner of a tree */
struct document {
	struct node *root; /* NULL if the file has only comments */
	struct node *all;
};

/**
 * document_parse() - parse bytes to a tree
 * @data, @size: untrusted
 * @findings:    syntax errors and exceeded limits stop the parser; duplicate keys, tags and the
 *               like do not
 * @ret:         filled in any case; document_free() it
 *
 * Return: 0 if the tree is complete, also with findings; -EINVAL with a finding if it is not;
 * -ENOMEM.
 */
int document_parse(const char *data, size_t size, struct findings *findings, struct document *ret);
void document_free(struct document *document);

/** node_kind_name() - "a list", "text", … for messages */
const char *node_kind_name(enum node_kind kind);

/** scalar_kind() - type of a plain scalar under the core schema */
enum node_kind scalar_kind(const char *text, size_t length);

/**
 * bytes_check() - report problems that libyaml describes badly: size, UTF-16, NUL, bad UTF-8
 *
 * Return: whether the bytes may be parsed.
 */
bool bytes_check(const char *data, size_t size, struct findings *findings);

/** struct syntax_error - libyaml's messages and places (lines and columns from 0) */
struct syntax_error {
	const char *problem;
	const char *context;
	struct runbook_place problem_place;
	struct runbook_place context_place; /* 0:0 if there is none */
	bool in_reader;			    /* then .offset is the only place */
	size_t offset;
};

/** syntax_error_report() - add a finding with a fix for a syntax error */
void syntax_error_report(const struct syntax_error *error, const char *data, size_t size,
			 struct findings *findings);

#endif
