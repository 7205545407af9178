/* list.c - see list.h. */
#include "libcoord/base/list.h"

#include <stddef.h>

void list_init(struct list *head)
{
    head->next = head;
    head->previous = head;
}

bool list_empty(const struct list *head)
{
    return head->next == head;
}

static void link_between(struct list *before, struct list *element, struct list *after)
{
    element->previous = before;
    element->next = after;
    before->next = element;
    after->previous = element;
}

void list_append(struct list *head, struct list *element)
{
    link_between(head->previous, element, head);
}

void list_prepend(struct list *head, struct list *element)
{
    link_between(head, element, head->next);
}

void list_remove(struct list *element)
{
    element->previous->next = element->next;
    element->next->previous = element->previous;
    list_init(element);
}

struct list *list_first(const struct list *head)
{
    return list_empty(head) ? NULL : head->next;
}
