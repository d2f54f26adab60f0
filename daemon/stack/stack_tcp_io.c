/* SPDX-License-Identifier: BSD-3-Clause
 * The two queues of a connection, and the window that the receiving one offers.
 */
#include "stack/stack_tcp_private.h"

#include "lwip/priv/tcp_priv.h"

/* --- receiving -------------------------------------------------------------------------------------------------- */

static void append(struct stack_conn *c, struct pbuf *q, uint16_t room) {
  q->next = NULL;
  if (c->rx_tail)
    c->rx_tail->next = q;
  else
    c->rx_head = q;
  c->rx_tail = q;
  c->rx_room = room;
}

/* One buffer without followers. */
static void take(struct stack_conn *c, struct pbuf *q) {
  uint16_t len = q->len;
  struct pbuf *big;
  if (len == 0) {
    pbuf_free(q);
  } else if (len >= STACK_SMALL) {
    append(c, q, 0);
  } else if (c->rx_tail && c->rx_room >= len) {
    memcpy((uint8_t *)c->rx_tail->payload + c->rx_tail->len, q->payload, len);
    c->rx_tail->len = (u16_t)(c->rx_tail->len + len);
    c->rx_room = (uint16_t)(c->rx_room - len);
    pbuf_free(q);
  } else if ((big = pbuf_alloc(PBUF_RAW, STACK_COALESCE, PBUF_RAM))) {
    memcpy(big->payload, q->payload, len);
    big->len = big->tot_len = len;
    append(c, big, (uint16_t)(STACK_COALESCE - len));
    pbuf_free(q);
  } else {
    append(c, q, 0);
  }
}

void conn_receive(struct stack_conn *c, struct pbuf *p) {
  while (p) {
    struct pbuf *next = p->next;
    p->next = NULL;
    p->tot_len = p->len;
    c->rx_bytes += p->len;
    c->bytes_in += p->len;
    take(c, p);
    p = next;
  }
  c->activity_ns = loop_now(c->s->loop, CLOCK_ID_MONO);
}

static void drop_head(struct stack_conn *c) {
  struct pbuf *q = c->rx_head;
  c->rx_head = q->next;
  if (!c->rx_head) {
    c->rx_tail = NULL;
    c->rx_room = 0;
  }
  c->rx_off = 0;
  q->next = NULL;
  q->tot_len = q->len;
  pbuf_free(q);
}

void conn_rx_free(struct stack_conn *c) {
  while (c->rx_head)
    drop_head(c);
  c->rx_bytes = 0;
}

int stack_conn_peek(struct stack_conn *c, struct iovec *iov, int max) {
  int n = 0;
  size_t off = c->rx_off;
  for (struct pbuf *q = c->rx_head; q && n < max; q = q->next) {
    iov[n++] = (struct iovec){.iov_base = (uint8_t *)q->payload + off, .iov_len = q->len - off};
    off = 0;
  }
  return n;
}

/* What was consumed pays the debt first, the rest becomes window. */
static void give_credit(struct stack_conn *c, size_t n) {
  size_t paid = MIN(n, c->rx_debt);
  c->rx_debt -= paid;
  c->rx_credit += n - paid;
  if (paid || !c->pcb)
    conn_promise(c);
  if (c->pcb && n)
    conn_dirty(c);
}

void stack_conn_consume(struct stack_conn *c, size_t n) {
  n = MIN(n, c->rx_bytes);
  c->rx_bytes -= n;
  give_credit(c, n);
  conn_tune_receive(c, n);
  while (n) {
    size_t here = MIN(n, (size_t)(c->rx_head->len - c->rx_off));
    c->rx_off = (uint16_t)(c->rx_off + here);
    n -= here;
    if (c->rx_off == c->rx_head->len)
      drop_head(c);
  }
}

size_t stack_conn_unread(const struct stack_conn *c) { return c->rx_bytes; }
bool stack_conn_eof(const struct stack_conn *c) { return c->fin_in && c->rx_bytes == 0; }

/* lwIP does not open a closed window by less than one MSS, so less than two would deadlock. */
static size_t bounded(const struct stack_conn *c, size_t bytes) {
  size_t min = c->pcb ? MAX(STACK_RCVBUF_MIN, 2u * c->pcb->mss_max) : STACK_RCVBUF_MIN;
  return MIN(MAX(bytes, min), (size_t)TCP_WND);
}

/* As long as nothing was received the window can be what we like. It is less than the handshake said only where a grant
 * allows so little (RFC 9293 3.8.6 tells senders to bear it). */
void conn_window_open(struct stack_conn *c) {
  struct tcp_pcb *pcb = c->pcb;
  c->rx_capacity = MIN(bounded(c, c->rx_capacity), (size_t)TCP_WND_MAX(pcb));
  pcb->rcv_wnd = pcb->rcv_ann_wnd = (tcpwnd_size_t)c->rx_capacity;
  pcb->rcv_ann_right_edge = pcb->rcv_nxt + pcb->rcv_ann_wnd;
  c->rx_credit = c->rx_debt = 0;
  conn_promise(c);
}

void conn_set_capacity(struct stack_conn *c, size_t bytes) {
  size_t old = c->rx_capacity;
  bytes = bounded(c, bytes);
  if (c->pcb && c->connected)
    bytes = MIN(bytes, (size_t)TCP_WND_MAX(c->pcb));
  c->rx_capacity = bytes;
  if (!c->connected || !c->pcb || bytes == old)
    return;
  if (bytes > old) {
    give_credit(c, bytes - old);
  } else if (!c->bytes_in && !c->pcb->ooseq && !c->fin_in) {
    conn_window_open(c);
    tcp_ack_now(c->pcb);
    conn_dirty(c);
  } else {
    size_t less = old - bytes, back = MIN(less, c->rx_credit);
    c->rx_credit -= back;
    c->rx_debt += less - back;
  }
}

/* tcp_recved in one step: that one counts in 16 bits and sends an ACK for each. */
static void offer_window(struct stack_conn *c) {
  struct tcp_pcb *pcb = c->pcb;
  if (!c->rx_credit || !c->connected)
    return;
  pcb->rcv_wnd = (tcpwnd_size_t)MIN(pcb->rcv_wnd + c->rx_credit, (size_t)TCP_WND_MAX(pcb));
  c->rx_credit = 0;
  u32_t left = pcb->rcv_ann_right_edge - pcb->rcv_nxt, more = tcp_update_rcv_ann_wnd(pcb);
  if (more >= MIN(c->rx_capacity / 4, 4u * pcb->mss) && left <= c->rx_capacity / 2)
    tcp_ack_now(pcb); /* otherwise the next ACK says it */
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

/* Whoever went without memory may try again. */
static void free_chunk(struct stack_conn *c, struct tx_chunk *k) {
  struct stack *s = c->s;
  s->send_memory -= sizeof(*k) + k->cap;
  list_remove(&k->link);
  if (k->cap == STACK_CHUNK_MORE)
    (void)block_put(k);
  else
    free(k);
  while (!list_empty(&s->starved)) { /* all: the first may not want it any more */
    struct stack_conn *other = list_first(&s->starved, struct stack_conn, starved_link);
    list_remove(&other->starved_link);
    other->tx_blocked = false;
    conn_event(other, CONN_WRITABLE);
  }
}

void conn_tx_free(struct stack_conn *c) {
  while (!list_empty(&c->tx))
    free_chunk(c, list_first(&c->tx, struct tx_chunk, link));
  if (c->pcb)
    return;
  c->tx_len = c->tx_unwritten = 0;
}

static bool may_send(const struct stack_conn *c) { return c->pcb && c->end == STACK_END_NONE && !c->fin_wanted; }

static struct tx_chunk *add_chunk(struct stack_conn *c) {
  size_t cap = c->tx_len ? STACK_CHUNK_MORE : STACK_CHUNK_FIRST;
  bool fits = c->s->send_memory + sizeof(struct tx_chunk) + cap <= c->s->limits.send_memory;
  struct tx_chunk *k = !fits ? NULL : cap == STACK_CHUNK_MORE ? block_get() : malloc(sizeof(*k) + cap);
  if (!k) {
    (void)stack_refuse(c->s, STACK_LIMIT_SEND_MEMORY);
    return NULL;
  }
  c->s->send_memory += sizeof(*k) + cap;
  *k = (struct tx_chunk){.cap = cap};
  list_append(&c->tx, &k->link);
  return k;
}

/* The tail's free space, or a new tail: always one piece, which is within "up to two". */
int stack_conn_send_space(struct stack_conn *c, struct iovec iov[2]) {
  if (!may_send(c))
    return 0;
  const size_t limit = conn_send_limit(c);
  if (c->tx_len >= limit) {
    c->tx_blocked = true;
    return 0;
  }
  struct tx_chunk *k = list_empty(&c->tx) ? NULL : container_of(c->tx.prev, struct tx_chunk, link);
  if (!k || k->end == k->cap)
    k = add_chunk(c);
  if (!k) {
    c->tx_blocked = true;
    list_remove(&c->starved_link);
    list_append(&c->s->starved, &c->starved_link);
    return 0;
  }
  iov[0] = (struct iovec){.iov_base = k->data + k->end, .iov_len = MIN(k->cap - k->end, limit - c->tx_len)};
  return 1;
}

int stack_conn_send_commit(struct stack_conn *c, size_t n) {
  if (!c->pcb || c->end != STACK_END_NONE)
    return -ECONNRESET;
  if (c->fin_wanted)
    return -EPIPE;
  struct tx_chunk *k = list_empty(&c->tx) ? NULL : container_of(c->tx.prev, struct tx_chunk, link);
  if (!k || n > k->cap - k->end)
    return -EINVAL;
  if (!n) {
    if (!c->tx_len) /* nothing came of it: an idle connection holds no memory */
      conn_tx_free(c);
    return 0;
  }
  uint64_t now = loop_now(c->s->loop, CLOCK_ID_MONO);
  if (!c->tx_len)
    c->progress_ns = now;
  c->activity_ns = now;
  k->end += n;
  c->tx_len += n;
  c->tx_unwritten += n;
  conn_timer_check(c);
  conn_dirty(c);
  return 0;
}

size_t stack_conn_unacked(const struct stack_conn *c) { return c->tx_len; }

void conn_sent(struct stack_conn *c, size_t n) {
  c->progress_ns = c->activity_ns = loop_now(c->s->loop, CLOCK_ID_MONO);
  c->bytes_out += n;
  c->tx_len -= MIN(n, c->tx_len);
  while (n && !list_empty(&c->tx)) {
    struct tx_chunk *k = list_first(&c->tx, struct tx_chunk, link);
    size_t here = MIN(n, k->written - k->start);
    k->start += here;
    n -= here;
    if (k->start < k->end)
      break;
    free_chunk(c, k);
  }
  if (!c->tx_len) /* an empty chunk may wait for what did not come */
    conn_tx_free(c);
  if (c->tx_blocked && c->tx_len <= conn_send_limit(c) / 4 * 3) {
    c->tx_blocked = false;
    conn_event(c, CONN_WRITABLE);
  }
  if (!c->tx_len)
    conn_event(c, CONN_ACKED);
}

int stack_conn_shutdown_write(struct stack_conn *c) {
  if (!c->pcb || c->end != STACK_END_NONE)
    return -ECONNRESET;
  c->fin_wanted = true;
  conn_dirty(c);
  return 0;
}

/* Hands committed bytes to lwIP, as far as it takes them. */
static void write_out(struct stack_conn *c) {
  list_for_each(l, &c->tx) {
    struct tx_chunk *k = list_entry(l, struct tx_chunk, link);
    while (k->written < k->end) {
      size_t n = MIN(k->end - k->written, 0x8000u);
      if (tcp_write(c->pcb, k->data + k->written, (u16_t)n, n < c->tx_unwritten ? TCP_WRITE_FLAG_MORE : 0) != ERR_OK)
        return;
      k->written += n;
      c->tx_unwritten -= n;
    }
  }
}

/* The end of a turn: the window, then data, then the FIN, and one look at what may leave. */
void conn_output(struct stack_conn *c) {
  if (!c->connected)
    return;
  offer_window(c);
  conn_path_serve(c);
  write_out(c);
  if (!c->tx_unwritten && c->fin_wanted && !c->fin_sent) {
    c->fin_sent = true;
    tcp_shutdown(c->pcb, 0, 1);
  }
  if (!c->held)
    conn_timer_check(c);
  tcp_output(c->pcb);
}
