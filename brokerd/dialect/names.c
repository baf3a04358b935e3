/* names.c - what is not allowed becomes `_`, and a hash keeps two such names apart. */
#include "brokerd/dialect/names.h"

#include <stdio.h>

#define SUFFIX_BYTES ((size_t)7) /* "_3fa9c1" */
#define NINE         ((size_t)9)

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_legal(char c, const struct name_rules *rules)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '-' ||
	       (c != '\0' && strchr(rules->also, c));
}

enum err name_legal_by(
	struct arena *a, struct span name, const struct name_rules *rules, struct span *out)
{
	uint32_t hash = UINT32_C(2166136261); /* FNV-1a */
	const bool needs_letter = rules->begins_with_letter && name.n > 0 && !is_letter(name.p[0]);
	bool is_changed = name.n == 0 || name.n > rules->max || needs_letter;
	for (size_t i = 0; i < name.n; i++) {
		hash = (hash ^ (unsigned char)name.p[i]) * UINT32_C(16777619);
		is_changed = is_changed || !is_legal(name.p[i], rules);
	}
	*out = name;
	if (!is_changed)
		return OK;
	const size_t room = rules->max - SUFFIX_BYTES - needs_letter;
	const size_t kept = name.n < room ? name.n : room, n = kept + needs_letter;
	char *made = arena_alloc(a, n + SUFFIX_BYTES + 1);
	if (!made)
		return ERR_NO_MEMORY;
	made[0] = '_';
	for (size_t i = 0; i < kept; i++)
		made[needs_letter + i] = (char)(is_legal(name.p[i], rules) ? name.p[i] : '_');
	(void)snprintf(
		made + n, SUFFIX_BYTES + 1, "_%06x", (unsigned)(hash ^ hash >> 24) & 0xffffff);
	*out = span_of(made, n + SUFFIX_BYTES);
	return OK;
}

enum err name_legal(struct arena *a, struct span name, size_t max, struct span *out)
{
	return name_legal_by(a, name, &(struct name_rules){.max = max, .also = ""}, out);
}

enum err name_nine(struct arena *a, struct span name, struct span *out)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	bool is_changed = name.n != NINE;
	for (size_t i = 0; i < name.n; i++) {
		hash = (hash ^ (unsigned char)name.p[i]) * UINT64_C(1099511628211);
		is_changed = is_changed || name.p[i] == '_' ||
			     !(is_letter(name.p[i]) || (name.p[i] >= '0' && name.p[i] <= '9'));
	}
	*out = name;
	if (!is_changed)
		return OK;
	char *made = arena_alloc(a, NINE);
	if (!made)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < NINE; i++) {
		made[i] = letters[hash % (sizeof letters - 1)];
		hash /= sizeof letters - 1;
	}
	*out = span_of(made, NINE);
	return OK;
}
