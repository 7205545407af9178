/* main.c - coordd as it is shipped. */
#include "coordd/main/coordd_main.h"

int main(int argc, char **argv)
{
    return coordd_main(argc, argv, NULL);
}
