/* coverage_exit.h - a child that ends by _exit tells what it ran, too.
 * Put before every file of a coverage build by its flags, and so includes nothing: what <unistd.h> declares is then
 * this. gcov itself writes only at exit and before exec. */
#ifndef TESTS_LIB_COVERAGE_EXIT_H
#define TESTS_LIB_COVERAGE_EXIT_H

void __gcov_dump(void);
void _Exit(int status) __attribute__((noreturn));
void coverage_exit(int status) __attribute__((noreturn, weak));

void coverage_exit(int status)
{
	__gcov_dump();
	_Exit(status);
}
#define _exit coverage_exit

#endif
