package main

import (
	"time"

	"go.etcd.io/etcd/clientv3"
)

const sessionsSettle = 5 * time.Second // each has been kept alive once

// stay measures what the servers use while nothing is done.
func stay(sessions int) {
	m := startMeter()
	time.Sleep(inSeconds(asked.seconds))
	m.stop(sessions, false)
	line["server_cpu_pct"] = rounded(100*line["server_cpu_s"].(float64)/asked.seconds, 1)
}

func serversAlone() {
	stay(0)
	tellShape(0, 0)
}

// idleSessions are leases that the client library keeps alive.
func idleSessions(connections, defined int) {
	leases := make([]clientv3.LeaseID, countOr(defined))
	_, before := serversMemory()
	began := time.Now()
	clients := placed(connections)
	inParallel(len(leases), func(i int) {
		c := clients[i%connections]
		granted, err := c.Grant(always, leaseSeconds)
		must(err, "open a session")
		leases[i] = granted.ID
		answers, err := c.KeepAlive(always, granted.ID)
		must(err, "keep a session alive")
		go func() {
			for range answers {
			}
		}()
	})
	line["setup_seconds"] = rounded(time.Since(began).Seconds(), 3)
	time.Sleep(sessionsSettle)
	_, after := serversMemory()
	stay(len(leases))
	tellShape(connections, 0)
	line["sessions"] = len(leases)
	line["servers_bytes_per_session"] = rounded(float64(after-before)*1024/float64(len(leases)), 0)
	inParallel(len(leases), func(i int) {
		c := clients[i%connections]
		left, err := c.TimeToLive(always, leases[i])
		must(err, "ask for a session")
		if left.TTL <= 0 {
			fail("session %d did not live through it", i)
		}
		_, err = c.Revoke(always, leases[i])
		must(err, "close a session")
	})
}
