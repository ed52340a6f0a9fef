/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MEMORY_TRIM_H
#define COMMON_MEMORY_TRIM_H

/*
 * DOC: Memory that only the start of a program needs
 *
 * The dynamic linker reads symbols and relocations of all libraries, a seccomp filter is compiled
 * from a tree of some hundred KiB, configurations are parsed. A process that then waits for days
 * would keep all of that.
 */

/**
 * memory_trim() - give back what this process used until now and may never use again
 *
 * Free memory of malloc(3) is returned to the kernel. Code and constants, which are mapped from
 * files and cannot have been changed, are unmapped from the page tables: what is needed again
 * comes back from the page cache, sixteen pages at a time. Breakpoints that a debugger has written
 * into code are lost. Takes some ten microseconds.
 */
void memory_trim(void);

#endif
