/* mishap.c - a fault in a block of its own. */
#include "brokerd/value/mishap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fault none = {.err = OK, .retry_after_ms = -1};

void mishap_keep(struct mishap *m, const struct fault *why)
{
	if (why->err == OK) {
		mishap_drop(m);
		return;
	}
	if (!m->fault)
		m->fault = malloc(sizeof *m->fault);
	if (!m->fault)
		abort(); /* a small struct of ours */
	if (m->fault != why)
		*m->fault = *why;
}

enum err mishap_set(struct mishap *m, enum err err, const char *format, ...)
{
	char text[sizeof m->fault->message * 2]; /* fault_set cuts it, at a character */
	struct fault why;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fault_set(&why, err, "%s", text);
	mishap_keep(m, &why);
	return err;
}

void mishap_drop(struct mishap *m)
{
	if (!m->fault)
		return;
	explicit_bzero(m->fault, sizeof *m->fault);
	free(m->fault);
	m->fault = NULL;
}

const struct fault *mishap_fault(const struct mishap *m)
{
	return m->fault ? m->fault : &none;
}
