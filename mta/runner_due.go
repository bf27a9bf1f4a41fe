package mta

// dueHeap holds entries, the one that is due first on top. Each knows its place, so that
// it can be taken out.
type dueHeap []*entry

// put adds e, or moves it after its due has changed, and says whether it is on top now.
func (h *dueHeap) put(e *entry) bool {
	if e.at == 0 {
		*h = append(*h, e)
		e.at = int32(len(*h))
	}
	h.fix(int(e.at) - 1)
	return e.at == 1
}

func (h *dueHeap) remove(e *entry) {
	if e.at == 0 {
		return
	}
	i, last := int(e.at)-1, len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	e.at = 0
	if i < last {
		h.fix(i)
	}
}

func (h dueHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = int32(i)+1, int32(j)+1
}

func (h dueHeap) fix(i int) {
	for i > 0 && h[i].due < h[(i-1)/2].due {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1].due < h[c].due {
			c++
		}
		if h[i].due <= h[c].due {
			return
		}
		h.swap(i, c)
		i = c
	}
}
