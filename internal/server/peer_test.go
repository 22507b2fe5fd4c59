package server

import (
	"net"
	"os/user"
	"path/filepath"
	"testing"
)

func TestThePeerOfASocketIsNamed(t *testing.T) {
	var config net.ListenConfig
	ln, err := config.Listen(t.Context(), "unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var dialer net.Dialer
	client, err := dialer.DialContext(t.Context(), "unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if got := Peer(withPeer(t.Context(), conn)); got != me.Username {
		t.Errorf("the peer is %q, want %q", got, me.Username)
	}
	if got := Peer(t.Context()); got != "" {
		t.Errorf("nobody is %q", got)
	}
}
