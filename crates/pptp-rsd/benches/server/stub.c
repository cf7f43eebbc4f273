/* What the benchmark starts in place of pppd: it holds what it was given until one end of that is closed, and costs as little as a
 * process can. So it has no C library, whose start takes longer than all the rest where CPUID is emulated.
 *
 * pptpd gives it a terminal as standard input, pptp-rsd a socket with more descriptors in a message (option pptp_sock). It
 * ends when the other end of any of these is gone, as pppd would. */
#include <linux/poll.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <sys/syscall.h>

enum { MOST = 16, RIGHTS = 1, LEVEL = 1 };

struct message {
  void *name;
  int name_length;
  struct iovec *parts;
  unsigned long part_count;
  void *control;
  unsigned long control_length;
  int flags;
};

struct control {
  unsigned long length;
  int level, type;
  int descriptors[MOST];
};

static long call(long number, long a, long b, long c, long d, long e) {
#if defined __x86_64__
  long result;
  register long fourth __asm__("r10") = d;
  register long fifth __asm__("r8") = e;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth) : "rcx", "r11", "memory");
  return result;
#elif defined __aarch64__
  register long eighth __asm__("x8") = number;
  register long first __asm__("x0") = a, second __asm__("x1") = b, third __asm__("x2") = c, fourth __asm__("x3") = d,
                     fifth __asm__("x4") = e;
  __asm__ volatile("svc 0" : "+r"(first) : "r"(eighth), "r"(second), "r"(third), "r"(fourth), "r"(fifth) : "memory");
  return first;
#else
#error "how does this processor make a system call?"
#endif
}

static int is_socket_option(const char *word) {
  const char *option = "pptp_sock";
  while (*option && *word == *option) word++, option++;
  return *word == *option;
}

static int number_of(const char *word) {
  int number = 0;
  while (*word >= '0' && *word <= '9') number = number * 10 + *word++ - '0';
  return number;
}

/* The descriptors in the first message of `socket`: how many. */
static int take(int socket, struct pollfd *place) {
  char bytes[512];
  struct control control = { 0 };
  struct iovec part = { bytes, sizeof bytes };
  struct message message = { 0, 0, &part, 1, &control, sizeof control, 0 };
  if (call(SYS_recvmsg, socket, (long)&message, 0, 0, 0) < 0) return 0;
  if (control.level != LEVEL || control.type != RIGHTS) return 0;
  int count = (control.length - __builtin_offsetof(struct control, descriptors)) / sizeof(int);
  for (int index = 0; index < count; index++) place[index].fd = control.descriptors[index];
  return count;
}

__attribute__((used, noreturn)) static void start(long *stack) {
  struct pollfd held[MOST + 1];
  char **words = (char **)(stack + 1);
  int number = 1;
  for (int index = 0; index <= MOST; index++) held[index] = (struct pollfd){ 0, 0, 0 };
  for (int index = 1; index + 1 < stack[0]; index++)
    if (is_socket_option(words[index])) number = take(number_of(words[index + 1]), held);
  /* Nothing is waited for but hang-ups, and those always are. Without anything to hold it stays until it is killed. */
  while (call(SYS_ppoll, (long)held, number, 0, 0, 0) <= 0) { }
  for (;;) call(SYS_exit_group, 16, 0, 0, 0, 0);
}

#if defined __x86_64__
__asm__(".globl _start\n_start:\n mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
#elif defined __aarch64__
__asm__(".globl _start\n_start:\n mov x0, sp\n bl start\n");
#endif
