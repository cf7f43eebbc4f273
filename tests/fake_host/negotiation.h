/*
 * CCP and IPCP of the pppd of straw, as far as the plugin takes their place or stands in front of them.
 *
 *   @noccp           the user gave that option
 *   @keys=N          MS-CHAP has succeeded in N directions and left keys; for 0, not at all; for 3, version 1 in one
 *   @cannot          /dev/ppp takes no option of CCP
 *   @opennetworks    the network phase begins, as pppd's does
 *   @ccp=HEX         a packet of CCP has come; @compressed: a frame that nobody could decrypt, @hopeless: too many of them
 *   @rejected        the peer has no CCP
 *   @ccptimer        what CCP set a timer for, and calls it
 *   @ipcp=HEX        a packet of IPCP has come
 *   @linkdown        LCP is down
 */
ccp_options ccp_gotoptions[NUM_PPP];
int auth_done[NUM_PPP];

static int cannot, hopeless, ipcp_is_open, mtu = 1460;

static void pppds_own(int unit) { (void)unit; tell("pppd's own CCP"); }
static void lower_pppds_own(int unit) { (void)unit; }
static void close_pppds_own(int unit, char *reason) { (void)unit, (void)reason; }
struct protent ccp_protent = {
	.protocol = 0x80fd, .open = pppds_own, .lowerdown = lower_pppds_own, .close = close_pppds_own, .enabled_flag = 1
};

static void open_ipcp(int unit) { (void)unit; ipcp_is_open = 1; tell("IPCP is open"); }
static void lower_ipcp(int unit) { (void)unit; ipcp_is_open = 0; }
static void take_ipcp(int unit, unsigned char *packet, int length)
{
	(void)unit;
	tell_bytes(ipcp_is_open ? "IPCP takes" : "IPCP refuses", packet, length);
}
static struct protent ipcp = {.protocol = 0x8021, .open = open_ipcp, .lowerdown = lower_ipcp, .input = take_ipcp, .enabled_flag = 1};
struct protent *protocols[] = {&lcp_protent, &ccp_protent, &ipcp, NULL};

void output(int unit, unsigned char *frame, int length) { (void)unit; tell_bytes("sends", frame, length); }
int ccp_test(int unit, unsigned char *option, int length, int transmit)
{
	(void)unit;
	tell_bytes(transmit ? "to transmit" : "to receive", option, length);
	return cannot ? -1 : 1;
}
void ccp_flags_set(int unit, int is_open, int is_up) { (void)unit; tell("ccp open %d up %d", is_open, is_up); }
int ccp_fatal_error(int unit) { (void)unit; return hopeless; }
void continue_networks(int unit) { ipcp.open(unit); }
static int get_mtu(int unit) { (void)unit; return mtu; }
static void put_mtu(int unit, int bytes) { (void)unit; tell("mtu %d", mtu = bytes); }
#ifdef PPPD_2_5
int ppp_get_mtu(int unit) { return get_mtu(unit); }
void ppp_set_mtu(int unit, int bytes) { put_mtu(unit, bytes); }
#else
int netif_get_mtu(int unit) { return get_mtu(unit); }
void netif_set_mtu(int unit, int bytes) { put_mtu(unit, bytes); }
#endif

static void take_link_down(void)
{
	ccp_protent.lowerdown(0);
	ccp_protent.close(0, "LCP down");
	ipcp.lowerdown(0);
}

void lcp_close(int unit, char *reason)
{
	(void)unit;
	tell("the link ends: %s", reason);
	take_link_down();
}

static int bytes_of(const char *hex, unsigned char *bytes)
{
	int length = 0;
	for (unsigned int byte; sscanf(hex + 2 * length, "%2x", &byte) == 1; length++)
		bytes[length] = byte;
	return length;
}

static int negotiation_command(const char *word)
{
	static unsigned char packet[2048];
	if (!strcmp(word, "@noccp")) ccp_protent.enabled_flag = 0;
	else if (!strncmp(word, "@keys=", 6)) {
		static const int done[] = {0, 0x400, 0xc00, 0x100};
		auth_done[0] = done[word[6] - '0'];
		memset(mppe_send_key, 0x55, 16), memset(mppe_recv_key, 0x77, 16), mppe_keys_set = auth_done[0] ? 16 : 0;
	} else if (!strcmp(word, "@cannot")) cannot = 1;
	else if (!strcmp(word, "@opennetworks")) {
		ccp_protent.open(0);
		if (!ccp_gotoptions[0].mppe)
			continue_networks(0);
		else
			tell("IP waits");
	} else if (!strncmp(word, "@ccp=", 5)) ccp_protent.input(0, packet, bytes_of(word + 5, packet));
	else if (!strcmp(word, "@compressed")) ccp_protent.datainput(0, packet, 8);
	else if (!strcmp(word, "@hopeless")) hopeless = 1;
	else if (!strcmp(word, "@rejected")) ccp_protent.protrej(0);
	else if (!strcmp(word, "@ccptimer")) {
		tell("CCP waits %d s", ccp_timer ? ccp_timer_seconds : -1);
		if (ccp_timer) ccp_timer(NULL);
	} else if (!strncmp(word, "@ipcp=", 6)) ipcp.input(0, packet, bytes_of(word + 6, packet));
	else if (!strcmp(word, "@linkdown")) take_link_down();
	else return 0;
	return 1;
}
