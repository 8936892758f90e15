/* uml_xstate.c - lets Debian's User-Mode Linux 6.1 run on CPUs whose register file is larger than it knows.
 *
 * That kernel keeps the extended registers (XSAVE area) of a process in a buffer of 2,696 bytes. The host
 * takes them back (PTRACE_SETREGSET, NT_X86_XSTATE) in their full size only, which is 11,008 bytes on a CPU
 * with AMX: User-Mode Linux then stops with "ptrace set fp regs failed, errno = 14". Preloaded into it,
 * this asks the host for the whole area, hands over as much as the caller has room for, and widens it again
 * on the way back. Where the buffer is large enough nothing is changed. AMX itself stays off inside.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define AREA_BYTES 65536
#define PRESENT_AT 512    /* XSTATE_BV: the components that the area holds */
#define KNOWN UINT64_C(0x2ff) /* x87, SSE, AVX, MPX, AVX-512, PKRU: all but AMX */

static unsigned char area[AREA_BYTES] __attribute__((aligned(64)));
static size_t full; /* bytes of the host's area, once known */

static long get_xstate(pid_t pid, struct iovec *asked)
{
    struct iovec whole = {.iov_base = area, .iov_len = sizeof area};
    const long result = syscall(SYS_ptrace, PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &whole);
    if (result < 0) {
        return result;
    }
    full = whole.iov_len;
    if (asked->iov_len > full) {
        asked->iov_len = full;
    }
    memcpy(asked->iov_base, area, asked->iov_len);
    return 0;
}

static long set_xstate(pid_t pid, const struct iovec *given)
{
    struct iovec probe = {.iov_base = area, .iov_len = sizeof area};
    if (full == 0 && get_xstate(pid, &probe) < 0) {
        return -1;
    }
    const size_t known = (given->iov_len < full) ? given->iov_len : full;
    uint64_t present = 0;
    memset(area, 0, full);
    memcpy(area, given->iov_base, known);
    memcpy(&present, area + PRESENT_AT, sizeof present);
    present &= KNOWN;
    memcpy(area + PRESENT_AT, &present, sizeof present);
    struct iovec whole = {.iov_base = area, .iov_len = full};
    return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &whole);
}

/* In the place of libc's: the C library's own is a plain system call but for the requests that peek. */
long ptrace(enum __ptrace_request request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    const pid_t pid = va_arg(arguments, pid_t);
    void *address = va_arg(arguments, void *);
    void *data = va_arg(arguments, void *);
    va_end(arguments);
    if ((uintptr_t)address == NT_X86_XSTATE && request == PTRACE_GETREGSET) {
        return get_xstate(pid, data);
    }
    if ((uintptr_t)address == NT_X86_XSTATE && request == PTRACE_SETREGSET) {
        return set_xstate(pid, data);
    }
    if (request != PTRACE_PEEKTEXT && request != PTRACE_PEEKDATA && request != PTRACE_PEEKUSER) {
        return syscall(SYS_ptrace, request, pid, address, data);
    }
    long word = 0;
    const long result = syscall(SYS_ptrace, request, pid, address, &word);
    if (result < 0) {
        return result;
    }
    errno = 0;
    return word;
}
