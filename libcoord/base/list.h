/* list.h - intrusive circular doubly linked lists. A head is an element that
 * is in no structure; an element that is in no list points to itself. */
#ifndef COORD_BASE_LIST_H
#define COORD_BASE_LIST_H

#include <stdbool.h>

struct list {
    struct list *next, *previous;
};

void list_init(struct list *head);
bool list_empty(const struct list *head);
void list_append(struct list *head, struct list *element); /* becomes the last */
void list_prepend(struct list *head, struct list *element);
void list_remove(struct list *element);           /* and makes it point to itself */
struct list *list_first(const struct list *head); /* NULL when empty */

#endif
