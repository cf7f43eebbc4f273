/*
 * Preprocessed, never compiled: build.rs reads the version of pppd off the line that begins with PPTP_RS_PROBE.
 * pppd 2.5.x names its version in <pppd/pppdconf.h>, 2.4.x in <pppd/patchlevel.h>.
 */
#if __has_include(<pppd/pppdconf.h>)
#include <pppd/pppdconf.h>
#ifndef PPPD_VERSION
#define PPPD_VERSION PACKAGE_VERSION
#endif
#else
#include <pppd/patchlevel.h>
#define PPPD_VERSION VERSION
#endif
PPTP_RS_PROBE PPPD_VERSION
