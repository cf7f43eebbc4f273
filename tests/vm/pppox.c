/*
 * pppox LOCAL_ADDRESS LOCAL_CALL_ID PEER_ADDRESS PEER_CALL_ID COMMAND [ARGS...]
 *
 * Makes a PPTP socket of the kernel (AF_PPPOX, PX_PROTO_PPTP), binds and connects it, and runs the command with it:
 * what a PPTP server does for its pppd. The word FD among the arguments becomes the descriptor's number.
 */
#include <arpa/inet.h>
#include <linux/if_pppox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_pppox endpoint(const char *address, const char *call_id)
{
    struct sockaddr_pppox end;
    memset(&end, 0, sizeof end);
    end.sa_family = AF_PPPOX;
    end.sa_protocol = PX_PROTO_PPTP;
    end.sa_addr.pptp.call_id = (unsigned short)atoi(call_id);
    if (inet_pton(AF_INET, address, &end.sa_addr.pptp.sin_addr) != 1) {
        fprintf(stderr, "pppox: not an IPv4 address: %s\n", address);
        exit(2);
    }
    return end;
}

static int connected_socket(char **ends)
{
    struct sockaddr_pppox local = endpoint(ends[0], ends[1]);
    struct sockaddr_pppox peer = endpoint(ends[2], ends[3]);
    int fd = socket(AF_PPPOX, SOCK_STREAM, PX_PROTO_PPTP);
    if (fd < 0 || bind(fd, (const void *)&local, sizeof local) < 0 ||
        connect(fd, (const void *)&peer, sizeof peer) < 0) {
        perror("pppox");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    char number[16];

    if (argc < 6) {
        fprintf(stderr, "usage: pppox LOCAL_ADDRESS LOCAL_CALL_ID PEER_ADDRESS PEER_CALL_ID COMMAND [ARGS...]\n");
        return 2;
    }
    snprintf(number, sizeof number, "%d", connected_socket(argv + 1));
    for (int i = 6; i < argc; i++)
        if (strcmp(argv[i], "FD") == 0)
            argv[i] = number;
    execvp(argv[5], argv + 5);
    perror(argv[5]);
    return 127;
}
