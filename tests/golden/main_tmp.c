#include "tests/golden/golden.h"
#include <stdlib.h>
#include <string.h>
int main(int c, char **v)
{
	if (!strcmp(v[1], "--replay"))
		return replay(v[2], v[3], (size_t)atoi(v[4]));
	return decode_stdin(c - 2, v + 2);
}
