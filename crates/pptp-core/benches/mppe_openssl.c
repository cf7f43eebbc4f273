/*
 * What OpenSSL needs for MPPE's stateless 128 bit mode: for each packet a digest of 112 bytes, RC4 with a new key over 16
 * bytes, RC4 with a new key over the packet. Arguments: bytes of a packet, rounds, packets in a round. Prints two numbers, the
 * least nanoseconds for each packet: with the EVP interface, and with the low-level one.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rc4.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY = 16 };

static unsigned char block[112], session[KEY];
static EVP_MD *sha1;
static EVP_MD_CTX *digest_context;
static EVP_CIPHER *rc4;
static EVP_CIPHER_CTX *cipher_context;

static void check(int ok)
{
	if (!ok) {
		fputs("OpenSSL has no RC4 or no SHA-1\n", stderr);
		exit(1);
	}
}

static void evp_rc4(const unsigned char *key, unsigned char *text, int length)
{
	int done;

	check(EVP_EncryptInit_ex2(cipher_context, NULL, key, NULL, NULL));
	check(EVP_EncryptUpdate(cipher_context, text, &done, text, length));
}

static void evp_packet(unsigned char *text, int length)
{
	unsigned char interim[20], key[KEY];

	memcpy(block + 56, session, KEY);
	check(EVP_DigestInit_ex2(digest_context, sha1, NULL));
	check(EVP_DigestUpdate(digest_context, block, sizeof(block)));
	check(EVP_DigestFinal_ex(digest_context, interim, NULL));
	memcpy(key, interim, KEY);
	evp_rc4(key, interim, KEY);
	memcpy(session, interim, KEY);
	evp_rc4(session, text, length);
}

static void low_level_packet(unsigned char *text, int length)
{
	unsigned char interim[20];
	RC4_KEY tables;

	memcpy(block + 56, session, KEY);
	SHA1(block, sizeof(block), interim);
	RC4_set_key(&tables, KEY, interim);
	RC4(&tables, KEY, interim, session);
	RC4_set_key(&tables, KEY, session);
	RC4(&tables, length, text, text);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static int length, rounds, packets;

static double measure(void (*packet)(unsigned char *, int), unsigned char *text)
{
	double best = 1e18;

	for (int round = 0; round < rounds; round++) {
		double start = now(), each;

		for (int i = 0; i < packets; i++)
			packet(text, length);
		each = (now() - start) / packets;
		best = each < best ? each : best;
	}
	return best;
}

int main(int argc, char **argv)
{
	unsigned char *text;
	double evp, low_level;

	if (argc != 4)
		return 2;
	length = atoi(argv[1]);
	rounds = atoi(argv[2]);
	packets = atoi(argv[3]);
	text = calloc(1, length + 1);
	check(text != NULL);
	check(OSSL_PROVIDER_load(NULL, "legacy") != NULL && OSSL_PROVIDER_load(NULL, "default") != NULL);
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	rc4 = EVP_CIPHER_fetch(NULL, "RC4", NULL);
	digest_context = EVP_MD_CTX_new();
	cipher_context = EVP_CIPHER_CTX_new();
	check(sha1 && rc4 && digest_context && cipher_context);
	check(EVP_EncryptInit_ex2(cipher_context, rc4, NULL, NULL, NULL));
	memset(block + 72, 0xf2, 40);
	evp = measure(evp_packet, text);
	low_level = measure(low_level_packet, text);
	printf("%.0f %.0f\n", evp, low_level);
	return 0;
}
