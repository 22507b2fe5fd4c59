// Package server is the HTTP API of the daemon: handlers on its unix socket,
// the stream of events, and the documents that describe them. It holds no
// state of runs, jobs or pools; it asks a Backend, and is told by Hub what
// changes.
//
// The life of a server:
//
//  1. New registers the handlers. Nothing listens yet.
//  2. Listen takes the socket. A file left behind by a daemon that is gone is
//     replaced; one where somebody answers is an error.
//  3. Serve answers until Shutdown.
//  4. Shutdown ends what waits (long polls, followed output, event streams)
//     at once, lets other requests finish, and removes the socket.
package server
