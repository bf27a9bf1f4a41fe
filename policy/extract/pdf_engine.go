package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// PDFOptions say how PDFium is started.
type PDFOptions struct {
	// Cache is a directory for the compiled module, "" for none: with it a later start takes
	// a tenth of a second, without it three.
	Cache string
	// Unchecked leaves out what lets a loop inside PDFium be stopped from within: it works
	// three to five times as fast, and is for a process that another one ends in time.
	Unchecked bool
}

// pdfMemory is the most that PDFium may take, the document itself included.
const pdfMemory = 256 << 20

// pdfRuntime is PDFium, compiled, for the whole process. Each document gets an instance of
// its own, so that none leaves anything behind for the next.
var pdfRuntime struct {
	sync.Mutex
	o     PDFOptions
	pool  pdfium.Pool
	tried bool
	err   error
}

// WarmPDF starts PDFium, which afterwards needs no files. The first document does it as well.
// It is for the beginning of a process: once it runs, other options change nothing.
func WarmPDF(o PDFOptions) error {
	r := &pdfRuntime
	r.Lock()
	defer r.Unlock()
	if !r.tried {
		r.tried, r.o = true, o
		r.pool, r.err = startPDF(o)
	}
	return r.err
}

// pdfStarted says whether WarmPDF was called.
func pdfStarted() bool {
	r := &pdfRuntime
	r.Lock()
	defer r.Unlock()
	return r.tried
}

func startPDF(o PDFOptions) (pdfium.Pool, error) {
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling). // as PDFium's setjmp needs it
		WithCloseOnContextDone(!o.Unchecked).
		WithMemoryLimitPages(pdfMemory >> 16)
	if o.Cache != "" {
		cache, err := wazero.NewCompilationCacheWithDir(o.Cache)
		if err != nil {
			return nil, fmt.Errorf("PDFium cannot be kept compiled in %s: %w", o.Cache, err)
		}
		config = config.WithCompilationCache(cache)
	}
	ctx := experimental.WithMemoryAllocator(context.Background(), experimental.MemoryAllocatorFunc(pdfMapMemory))
	ctx = experimental.WithCompilationWorkers(ctx, 4)
	pool, err := webassembly.Init(webassembly.Config{
		Context: ctx, MaxTotal: 64, MaxIdle: 1, RuntimeConfig: config,
		FSConfig: wazero.NewFSConfig(), // no files at all
		Stdout:   io.Discard, Stderr: io.Discard,
	})
	if err != nil {
		return nil, fmt.Errorf("PDFium does not start: %w", err)
	}
	return pool, nil
}

// A pdfMapping is the memory of an instance: addresses for all that it may take, of which it
// has what it asked for. It goes back to the system at once, where the garbage of a collected
// heap would stay for a while.
type pdfMapping struct{ all []byte }

func pdfMapMemory(_, most uint64) experimental.LinearMemory {
	b, err := unix.Mmap(-1, 0, int(min(most, pdfMemory)), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return &pdfMapping{}
	}
	return &pdfMapping{b}
}

func (m *pdfMapping) Reallocate(size uint64) []byte {
	if size > uint64(len(m.all)) || size > 0 && unix.Mprotect(m.all[:size], unix.PROT_READ|unix.PROT_WRITE) != nil {
		return nil
	}
	return m.all[:size]
}

func (m *pdfMapping) Free() {
	if m.all != nil {
		_ = unix.Munmap(m.all)
		m.all = nil
	}
}

// A pdfEngine is one instance of PDFium. Its functions are called by their names in
// PDFium's headers (fpdfview.h, fpdf_text.h and so on); after an error all of them give 0.
type pdfEngine struct {
	inst    pdfium.Pdfium
	ctx     context.Context // of long calls: its end stops them
	mod     api.Module
	lookup  func(string) api.Function
	fn      map[string]api.Function
	stack   [16]uint64
	scratch uint32 // 256 octets for what functions give back through pointers
	err     error
}

var errPDFium = errors.New("PDFium failed")

func newPDFEngine(ctx context.Context) (*pdfEngine, error) {
	if err := WarmPDF(PDFOptions{}); err != nil {
		return nil, err
	}
	inst, err := pdfRuntime.pool.GetInstanceWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("no instance of PDFium: %w", err)
	}
	e := &pdfEngine{inst: inst, ctx: ctx, fn: map[string]api.Function{}}
	// The library's own calls make strings and maps for each letter; the module below it
	// is asked directly.
	impl := inst.GetImplementation()
	f, ok := impl.(interface{ Fn(string) api.Function })
	mod, is := reflect.ValueOf(impl).Elem().FieldByName("Module").Interface().(api.Module)
	if !ok || !is {
		return nil, errors.Join(errPDFium, inst.Close())
	}
	e.lookup, e.mod = f.Fn, mod
	e.scratch = uint32(e.call("malloc", 256))
	return e, e.err
}

// close throws the instance away.
func (e *pdfEngine) close() {
	_ = e.inst.Kill()
	_ = e.mod.Close(context.Background())
}

// call is for what takes no long time.
func (e *pdfEngine) call(name string, args ...uint64) uint64 {
	return e.do(context.Background(), name, args)
}

// long is for what loads, decodes or draws: ctx can stop it.
func (e *pdfEngine) long(name string, args ...uint64) uint64 { return e.do(e.ctx, name, args) }

func (e *pdfEngine) do(ctx context.Context, name string, args []uint64) uint64 {
	if e.err != nil {
		return 0
	}
	f := e.fn[name]
	if f == nil {
		if f = e.lookup(name); f == nil {
			e.err = fmt.Errorf("%w: it has no %s", errPDFium, name)
			return 0
		}
		e.fn[name] = f
	}
	copy(e.stack[:], args)
	if err := f.CallWithStack(ctx, e.stack[:]); err != nil {
		e.err = fmt.Errorf("%w in %s", errPDFium, name)
		return 0
	}
	return e.stack[0]
}

// pdfInt is a result that is an int.
func pdfInt(v uint64) int { return int(int32(uint32(v))) }

func (e *pdfEngine) read(p, n uint32) []byte {
	b, ok := e.mod.Memory().Read(p, n)
	if !ok && e.err == nil {
		e.err = errPDFium
	}
	return b
}

func (e *pdfEngine) float(i uint32) float64 {
	v, _ := e.mod.Memory().ReadFloat32Le(e.scratch + 4*i)
	return float64(v)
}

func (e *pdfEngine) double(i uint32) float64 {
	v, _ := e.mod.Memory().ReadFloat64Le(e.scratch + 8*i)
	return v
}

func (e *pdfEngine) word(i uint32) uint32 {
	v, _ := e.mod.Memory().ReadUint32Le(e.scratch + 4*i)
	return v
}

// put copies b into the instance; 0 when there is no room.
func (e *pdfEngine) put(b []byte) uint64 {
	p := e.call("malloc", uint64(max(len(b), 1)))
	if p != 0 && !e.mod.Memory().Write(uint32(p), b) {
		return 0
	}
	return p
}

func (e *pdfEngine) free(p uint64) {
	if p != 0 {
		e.call("free", p)
	}
}

// maxPDFString is the longest property, annotation or script that is taken, in octets.
const maxPDFString = 4 << 20

// text is what a function gives as UTF-16 into a buffer: it takes args, the buffer, its
// size, and more, and answers with the octets needed.
func (e *pdfEngine) text(name string, args []uint64, more ...uint64) string {
	return strings.TrimRight(utf16String(e.octets(name, args, more...)), "\x00")
}

func (e *pdfEngine) octets(name string, args []uint64, more ...uint64) []byte {
	ask := func(buf, n uint64) int {
		return pdfInt(e.call(name, append(append(append([]uint64{}, args...), buf, n), more...)...))
	}
	n := min(ask(0, 0), maxPDFString)
	if n <= 0 {
		return nil
	}
	p := e.call("calloc", 1, uint64(n))
	if p == 0 {
		return nil
	}
	defer e.free(p)
	ask(p, uint64(n))
	if e.err != nil {
		return nil
	}
	return append([]byte(nil), e.read(uint32(p), uint32(n))...)
}

// cstring is a C string in the instance.
func (e *pdfEngine) cstring(s string) uint64 { return e.put(append([]byte(s), 0)) }

// pdfBounded ends with ctx, or when past says so, which is asked now and then.
func pdfBounded(ctx context.Context, past func() bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		t := time.NewTicker(200 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if past() {
					cancel()
				}
			}
		}
	}()
	return ctx, cancel
}

// memory is how much the instance takes.
func (e *pdfEngine) memory() uint32 { return e.mod.Memory().Size() }
