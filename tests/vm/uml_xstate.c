/*
 * LD_PRELOAD shim for User-Mode Linux on processors with a large XSAVE area.
 *
 * UML 6.1 keeps 2696 bytes of extended state per task (up to AVX-512 and PKRU).  Since Linux 5.14 a host refuses
 * PTRACE_SETREGSET(NT_X86_XSTATE) with less than its whole area, which on processors with AMX is 11008 bytes; UML then
 * panics at its first return to user space ("ptrace set fp regs failed, errno = 14").  The shim pads the area with
 * components in their initial state: XSTATE_BV, in the part that UML does keep, says that they are not present.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define XSAVE_AREA_MAX 65536

long ptrace(enum __ptrace_request request, ...)
{
    static long (*real)(enum __ptrace_request, ...);
    static unsigned char area[XSAVE_AREA_MAX] __attribute__((aligned(64)));
    static unsigned int host_size; /* of the whole area, as the processor reports it */
    va_list ap;

    va_start(ap, request);
    long pid = va_arg(ap, long);
    void *addr = va_arg(ap, void *);
    void *data = va_arg(ap, void *);
    va_end(ap);

    if (!real) {
        real = (long (*)(enum __ptrace_request, ...))dlsym(RTLD_NEXT, "ptrace");
        unsigned int eax, ecx, edx;
        __cpuid_count(0xd, 0, eax, host_size, ecx, edx);
    }
    if (request == PTRACE_SETREGSET && (long)addr == NT_X86_XSTATE) {
        const struct iovec *part = data;
        if (part->iov_len < host_size && host_size <= sizeof area) {
            struct iovec full = { area, host_size };
            memcpy(area, part->iov_base, part->iov_len);
            return real(request, (pid_t)pid, addr, &full);
        }
    }
    return real(request, (pid_t)pid, addr, data);
}
