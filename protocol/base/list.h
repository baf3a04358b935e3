/* list.h - in what order do things stand that come and go?
 * The only door to utlist: intrusive, doubly linked, typed. An element has `prev` and `next`;
 * a list is a pointer to its first element, NULL when empty. */
#ifndef PROTOCOL_BASE_LIST_H
#define PROTOCOL_BASE_LIST_H
#include <utlist.h>

#define LIST_PUSH(head, item)       DL_APPEND(head, item)           /* at the end */
#define LIST_FRONT(head, item)      DL_PREPEND(head, item)          /* at the front */
#define LIST_BEFORE(head, at, item) DL_PREPEND_ELEM(head, at, item) /* `at` NULL: at the end */
#define LIST_REMOVE(head, item)     DL_DELETE(head, item)
#define LIST_JOIN(head, other)      DL_CONCAT(head, other) /* all of another list, at the end */

#define LIST_EACH(head, item) DL_FOREACH(head, item)
/* `item` may be removed, and freed, inside the loop. */
#define LIST_EACH_SAFE(head, item, after) DL_FOREACH_SAFE(head, item, after)

#endif
