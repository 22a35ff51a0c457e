/* Preloaded into user-mode-linux: lets it set FPU registers on a CPU whose XSAVE area is larger than the buffer that it was built with. */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long raw(long request, long process, void *address, void *data) { return syscall(SYS_ptrace, request, process, address, data); }

/* The kernel takes only a whole area; the part that the caller does not know keeps the traced process's own content. */
static long set_registers(long process, void *address, struct iovec *known) {
    static unsigned char whole[1 << 16] __attribute__((aligned(64)));
    struct iovec area = {whole, sizeof whole};
    if (raw(PTRACE_GETREGSET, process, address, &area) != 0 || area.iov_len <= known->iov_len) return raw(PTRACE_SETREGSET, process, address, known);
    memcpy(whole, known->iov_base, known->iov_len);
    return raw(PTRACE_SETREGSET, process, address, &area);
}

long ptrace(enum __ptrace_request request, ...) {
    va_list arguments;
    va_start(arguments, request);
    const long process = va_arg(arguments, pid_t);
    void *address = va_arg(arguments, void *);
    void *data = va_arg(arguments, void *);
    va_end(arguments);
    if (request == PTRACE_SETREGSET && (unsigned long)address == NT_X86_XSTATE) return set_registers(process, address, data);
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
        long word = 0; /* the system call stores the word where glibc's function returns it */
        return raw(request, process, address, &word) < 0 ? -1 : word;
    }
    return raw(request, process, address, data);
}
