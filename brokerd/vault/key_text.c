/* key_text.c - byte by byte, so that the fault can say where. */
#include "brokerd/vault/key_text.h"

#include "protocol/limits.h"

enum err key_text_check(struct span key, struct fault *why)
{
	if (key.n == 0)
		return fault_set(why, ERR_INVALID_ARGUMENT, "the key is empty");
	if (key.n > LIMIT_SECRET_BYTES)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the key is longer than %zu bytes: is it a whole file?",
			LIMIT_SECRET_BYTES);
	for (size_t i = 0; i < key.n; i++) {
		const unsigned char c = (unsigned char)key.p[i];
		if (c == '\n' || c == '\r')
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"the key has a line break in it at byte %zu: a key is one line. If "
				"it "
				"comes from a file, strip it: tr -d '\\r\\n' <FILE",
				i);
		if (c < 0x20 || c == 0x7f)
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"the key has a control character at byte %zu, which no header can "
				"carry",
				i);
		if (c >= 0x80)
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"the key has a character at byte %zu that is not ASCII: was it "
				"copied "
				"from a formatted text?",
				i);
	}
	if (key.p[0] == ' ' || key.p[key.n - 1] == ' ')
		return fault_set(why, ERR_INVALID_ARGUMENT, "the key begins or ends with a space");
	return OK;
}
