/* loop N LIVE COMMAND...: runs a command N times, LIVE at once, by vfork and
 * execv, and waits for each: the least that a parent can do. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	int n = atoi(argv[1]), most = atoi(argv[2]), started = 0, live = 0, status;
	while (started < n || live > 0) {
		while (live < most && started < n) {
			pid_t pid = vfork();
			if (pid == 0) {
				execv(argv[3], argv + 3);
				_exit(127);
			}
			if (pid < 0) {
				perror("vfork");
				return 1;
			}
			started++;
			live++;
		}
		if (wait(&status) < 0 || status != 0) {
			fprintf(stderr, "a child failed\n");
			return 1;
		}
		live--;
	}
	return 0;
}
