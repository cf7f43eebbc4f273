/*
 * What pppd finds in the plugin, and what the shim is given to call.
 * Made by cbindgen (build.rs) from src/entry.rs and src/export.rs: change those.
 */

#ifndef PPTP_RS_H
#define PPTP_RS_H

/**
 * Bytes that hold the version, its final NUL included.
 */
#define PPPD_VERSION_ROOM 16

/**
 * A version of MS-CHAP, as pppd's struct chap_digest_type has it: challenges and responses have their length before
 * them.
 */
struct pptp_digest {
  /**
   * Makes a challenge.
   */
  void (*challenge)(unsigned char *challenge);
  /**
   * Whether a response is right; the message to the peer, as a text.
   */
  int (*verify)(int id,
                char *name,
                unsigned char *secret,
                int secret_length,
                unsigned char *challenge,
                unsigned char *response,
                char *message,
                int message_room);
  /**
   * Answers a challenge.
   */
  void (*respond)(unsigned char *response,
                  int id,
                  char *name,
                  unsigned char *challenge,
                  char *secret,
                  int secret_length,
                  unsigned char *private);
  /**
   * Whether the server that accepts us knows the password too; NULL: it does not tell.
   */
  int (*success)(int id, unsigned char *message, int length);
  /**
   * The server does not accept us.
   */
  void (*failure)(unsigned char *message, int length);
};

/**
 * CCP, as pppd's struct protent has it.
 */
struct pptp_compression {
  /**
   * The network phase begins, or the user wants a negotiation (SIGUSR2).
   */
  void (*open)(void);
  /**
   * There is nothing to negotiate any more.
   */
  void (*close)(void);
  /**
   * LCP is down.
   */
  void (*lower_down)(void);
  /**
   * A packet, from its code on.
   */
  void (*packet)(unsigned char *packet, int length);
  /**
   * An encrypted frame came that could not be decrypted.
   */
  void (*undecryptable)(void);
  /**
   * The peer has no CCP.
   */
  void (*protocol_reject)(void);
  /**
   * The time of pptp_host_set_ccp_timer is over.
   */
  void (*timer)(void);
};

/**
 * What pppd calls: its channel's functions, and the parsers of its options. Each may be called at any time after
 * plugin_init, in pppd's only thread.
 */
struct pptp_callbacks {
  /**
   * An option of ours was given; argv[0] is its value. Its name is pppd's current option. 0: an error, which has
   * been reported.
   */
  int (*parse_option)(char **argv);
  /**
   * A word that is no option's name: whether it is ours (apply is 0), or take it (apply is 1). 0: no.
   */
  int (*match_word)(char *word, char **argv, int apply);
  /**
   * All options have been given. Ends the process when they make no sense.
   */
  void (*check_options)(void);
  /**
   * Makes the call; the channel's descriptor, or -1.
   */
  int (*connect)(void);
  /**
   * The channel is not used any more.
   */
  void (*disconnect)(void);
  /**
   * Registers the channel; the descriptor that pppd reads, or -1.
   */
  int (*establish)(int channel);
  /**
   * Undoes establish.
   */
  void (*disestablish)(int channel);
  /**
   * Releases everything; may be called several times.
   */
  void (*cleanup)(void);
  /**
   * Called in a child that is about to run a script: closes descriptors and does nothing else.
   */
  void (*close)(void);
  /**
   * The time of pptp_host_set_timer is over.
   */
  void (*timer)(void);
  /**
   * MS-CHAPv1.
   */
  struct pptp_digest mschap;
  /**
   * MS-CHAPv2.
   */
  struct pptp_digest mschap2;
  /**
   * CCP.
   */
  struct pptp_compression ccp;
  /**
   * The network control protocol with this number begins to negotiate.
   */
  void (*network_open)(int protocol);
  /**
   * One of them is up.
   */
  void (*network_up)(void);
  /**
   * One of them goes down, and its script has not run yet.
   */
  void (*network_down)(void);
  /**
   * LCP is down.
   */
  void (*network_lower_down)(int protocol);
  /**
   * A packet for it has come, from its code on. Nonzero: it is not to see it now.
   */
  int (*network_packet)(int protocol, unsigned char *packet, int length);
  /**
   * pppd ends.
   */
  void (*exit)(void);
};

/**
 * The version of pppd that this plugin was built for; pppd refuses any other.
 */
extern const char pppd_version[PPPD_VERSION_ROOM];

/**
 * Called by pppd when it has loaded the plugin, while it parses its options.
 */
void plugin_init(void);

#endif  /* PPTP_RS_H */
