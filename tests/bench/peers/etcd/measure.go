package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	ticksPerSecond  = 100 // USER_HZ, on every Linux machine
	bucketsOfAPower = 16
)

// The fields of the line that is printed at the end.
var line = map[string]interface{}{}

func printLine(workload string) {
	line["peer"] = "etcd"
	line["workload"] = workload
	line["placement"] = asked.placement
	line["medium"] = asked.medium
	line["rep"] = asked.rep
	line["tries"] = 1
	text, err := json.Marshal(line)
	must(err, "the line")
	fmt.Println(string(text))
}

func tellShape(clients, inflight int) {
	line["clients"] = clients
	line["inflight"] = inflight
}

func rounded(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}

// ---- latencies ----

// bucketOf is where the bucket of that many microseconds begins: there are sixteen
// between a power of two and the next.
func bucketOf(us int64) int64 {
	shift := bits.Len64(uint64(us)) - bits.Len64(2*bucketsOfAPower-1)
	if shift <= 0 {
		return us
	}
	return us >> shift << shift
}

func tellLatencies(prefix string, took []time.Duration) {
	if len(took) == 0 {
		return
	}
	us := make([]int64, len(took))
	var total int64
	for i, t := range took {
		us[i] = t.Microseconds()
		total += us[i]
	}
	sort.Slice(us, func(i, j int) bool { return us[i] < us[j] })
	line[prefix+"p50_us"] = us[len(us)/2]
	line[prefix+"p99_us"] = us[int(0.99*float64(len(us)-1))]
	line[prefix+"max_us"] = us[len(us)-1]
	line[prefix+"mean_us"] = total / int64(len(us))
	if !asked.details {
		return
	}
	buckets := [][2]int64{}
	for _, x := range us {
		if last := len(buckets) - 1; last >= 0 && buckets[last][0] == bucketOf(x) {
			buckets[last][1]++
		} else {
			buckets = append(buckets, [2]int64{bucketOf(x), 1})
		}
	}
	line[prefix+"buckets"] = buckets
}

// ---- the servers' processes ----

func pidOf(server int) int {
	text, err := os.ReadFile(fmt.Sprintf("%s/%d.pid", asked.pids, server))
	must(err, "a server's process")
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(err, "a server's process")
	return pid
}

func serversCPU() float64 {
	ticks := 0
	for server := range asked.endpoints {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pidOf(server+1)))
		must(err, "a server's time")
		// Behind the name, which may hold anything, the first is field 3.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, field := range fields[14-3 : 16-3] {
			n, err := strconv.Atoi(field)
			must(err, "a server's time")
			ticks += n
		}
	}
	return float64(ticks) / ticksPerSecond
}

func serversMemory() (each []int, total int) {
	for server := range asked.endpoints {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pidOf(server+1)))
		must(err, "a server's memory")
		_, after, _ := strings.Cut(string(text), "VmRSS:")
		kib := 0
		_, err = fmt.Sscan(after, &kib)
		must(err, "a server's memory")
		each = append(each, kib)
		total += kib
	}
	return each, total
}

func memoryNow() {
	each, total := serversMemory()
	tellShape(0, 0)
	line["ops"] = 0
	line["server_rss_kib"] = total
	line["rss_each_kib"] = each
}

// ---- the meter ----

type meter struct {
	began        time.Time
	servers, own float64
}

func ownCPU() float64 {
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used), "my own time")
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

func startMeter() meter {
	return meter{servers: serversCPU(), own: ownCPU(), began: time.Now()}
}

func (m meter) stop(operations int, withRate bool) {
	took := time.Since(m.began).Seconds()
	own := ownCPU() - m.own
	line["seconds"] = rounded(took, 3)
	line["ops"] = operations
	if withRate {
		line["ops_per_s"] = rounded(float64(operations)/took, 1)
	}
	line["server_cpu_s"] = rounded(serversCPU()-m.servers, 2)
	line["client_cpu_s"] = rounded(own, 2)
	_, line["server_rss_kib"] = serversMemory()
}
