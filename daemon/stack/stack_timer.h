/* SPDX-License-Identifier: BSD-3-Clause
 * The clocks of lwIP, and who is due when.
 */
#ifndef CAPNET_STACK_TIMER_H
#define CAPNET_STACK_TIMER_H

#include <stddef.h>

struct stack;
struct tcp_pcb;

int stack_timers_init(struct stack *s);
void stack_timers_done(struct stack *s);
void stack_sync(struct stack *s);        /* moves the clocks to now: before every entry into lwIP */
void stack_timers_file(struct stack *s); /* the end of a turn: when is what was touched due? */
void stack_second_check(struct stack *s);

/* Something about pcb changed, so that it may be due at another time. */
void stack_timer_touch(struct stack *s, struct tcp_pcb *pcb);
/* It goes, or leaves the active ones for TIME_WAIT. */
void stack_timer_forget(struct stack *s, struct tcp_pcb *pcb);
/* Drops up to n of those in TIME_WAIT, the oldest first, and counts them as refused; returns how many. */
size_t stack_timer_drop_time_wait(struct stack *s, size_t n);

#endif
