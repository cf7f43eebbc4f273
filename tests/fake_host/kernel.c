/*
 * What a kernel with PPP answers, where FAKE_PPPOX makes a /dev/ppp of /dev/null: units can be made, terminals be
 * lines of PPP, and there is MPPE. A library, so that the host and the plugin call it as they call the C library.
 */
#define _GNU_SOURCE
#include <linux/ppp-ioctl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_null(int fd)
{
	struct stat status;
	return getenv("FAKE_PPPOX") && fstat(fd, &status) == 0 && status.st_rdev == makedev(1, 3);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	if (request == PPPIOCNEWUNIT && is_null(fd))
		return *(int *)argument = 0;
	if (request == PPPIOCSCOMPRESS && is_null(fd))
		return 0;
	if (request == TIOCSETD && getenv("FAKE_PPPOX"))
		return 0;
	return syscall(SYS_ioctl, fd, request, argument);
}
