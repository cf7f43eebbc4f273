/*
 * connect-time.so - a plugin for pppd that says how long the channel's connect() takes.
 *
 * Loaded after the plugin that brings the channel, it puts its own connect() in front of that one. The lines are
 * "connect-time: begin SECONDS.MICROSECONDS" and the same with "end"; seconds since 1970.
 */
#include <pppd/pppd.h>
#include <time.h>
#ifndef PPPD_VERSION
#include <pppd/patchlevel.h>
#define PPPD_VERSION VERSION
#endif

char pppd_version[] = PPPD_VERSION;

static struct channel timed;
static struct channel *real;

static void say(const char *what)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    info("connect-time: %s %d.%06d", what, (int)now.tv_sec, (int)(now.tv_nsec / 1000));
}

static int timed_connect(void)
{
    int fd;
    say("begin");
    fd = real->connect();
    say("end");
    return fd;
}

void plugin_init(void)
{
    real = the_channel;
    timed = *real;
    timed.connect = timed_connect;
    the_channel = &timed;
}
