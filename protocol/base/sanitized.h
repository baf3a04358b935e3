/* sanitized.h - does a sanitizer look on?
 * GCC says so by a macro, clang when it is asked. */
#ifndef PROTOCOL_BASE_SANITIZED_H
#define PROTOCOL_BASE_SANITIZED_H

#ifdef __has_feature
#define SANITIZED_BY_CLANG(what) __has_feature(what)
#else
#define SANITIZED_BY_CLANG(what) 0
#endif

/* 1 or 0: is it built with that one? */
#if defined(__SANITIZE_ADDRESS__) || SANITIZED_BY_CLANG(address_sanitizer)
#define ADDRESS_SANITIZED 1
#else
#define ADDRESS_SANITIZED 0
#endif
#if defined(__SANITIZE_THREAD__) || SANITIZED_BY_CLANG(thread_sanitizer)
#define THREAD_SANITIZED 1
#else
#define THREAD_SANITIZED 0
#endif

#endif
