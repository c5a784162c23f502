// One decoding step of a whole model in one crossing: tokens of any rows, behind what a cache holds of them, through every
// layer and the head. Activations are f32; weights are f32, bf16, or int8 with a scale for each row. Threads take chunks
// of outputs, so that weights are read once and who computes what changes no bit.
#include <omp.h>
#include <sched.h>

#include <atomic>
#include <memory>

#include "decode_math.h"

namespace ct {
namespace {

/// A part of the step whose tasks need all that came before it.
struct alignas(64) Stage {
  std::atomic<int64_t> next{0}, done{0};
};

/// One of the threads that go through the stages. A stage is over when its tasks are done, not when every thread has come by: a
/// thread that the system has put to sleep keeps nobody waiting unless it sleeps in a task, and finds its way forward when it wakes.
struct Worker {
  std::vector<Stage> &stages;
  int size;
  size_t at = 0;

  /// Runs tasks 0 ..< count, each on whichever thread is free.
  template <typename Task>
  void each(int64_t count, const Task &task) {
    Stage &stage = stages[at++];
    for (int64_t i; (i = stage.next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      task(i);
      stage.done.fetch_add(1, std::memory_order_release);
    }
    for (int spins = 0; stage.done.load(std::memory_order_acquire) < count; spins++)
      if (spins > 4000) sched_yield();
  }
};

struct LowRank {
  Tensor down, up, factor;
  float scale;
  int64_t bit, rank;
  float *inner = nullptr;  // down · x, [tokens, rank]
};

struct Product {
  Tensor weight, scale, bias;
  int64_t outputs = 0, width = 0;
  std::vector<LowRank> adapters;

  Product() = default;
  explicit Product(const ct_decode_linear &from)
      : weight(optional(from.weight)), scale(optional(from.scale)), bias(optional(from.bias)) {
    TORCH_CHECK(weight.dim() == 2 && weight.is_contiguous() && weight.is_cpu(), "decode: a weight must be a contiguous matrix on the CPU");
    auto type = weight.scalar_type();
    TORCH_CHECK(type == at::kFloat || type == at::kBFloat16 || type == at::kChar, "decode: no kernel for weights of type ", type);
    TORCH_CHECK((type == at::kChar) == scale.defined(), "decode: int8 weights, and they alone, have scales");
    outputs = weight.size(0);
    width = weight.size(1);
    for (int64_t i = 0; i < from.adapter_count; i++) {
      const auto &a = from.adapters[i];
      LowRank part{optional(a.down).contiguous(), optional(a.up).contiguous(), optional(a.factor), static_cast<float>(a.scale), a.bit, 0};
      part.rank = part.down.size(0);
      TORCH_CHECK(part.down.size(1) == width && part.up.size(0) == outputs && part.up.size(1) == part.rank, "decode: an adapter does not fit its layer");
      adapters.push_back(std::move(part));
    }
  }

  int64_t grain(int threads) const {
    int64_t chunk = (48 << 10) / std::max<int64_t>(1, width * weight.element_size());
    int64_t share = (outputs + 4 * threads - 1) / (4 * threads);
    return std::max<int64_t>(4, std::min(chunk, share) / 4 * 4);
  }
  int64_t chunks(int threads) const { return (outputs + grain(threads) - 1) / grain(threads); }
};

template <typename Body>
void with_type(const Tensor &t, Body &&body) {
  if (t.scalar_type() == at::kFloat)
    body(data<float>(t));
  else if (t.scalar_type() == at::kBFloat16)
    body(data<bf16>(t));
  else
    body(data<int8_t>(t));
}

inline float element(const Tensor &t, int64_t i) { return t.scalar_type() == at::kFloat ? data<float>(t)[i] : load(data<bf16>(t) + i); }

/// The first place at a cache line's beginning.
inline float *aligned(float *p) { return reinterpret_cast<float *>((reinterpret_cast<uintptr_t>(p) + 63) & ~uintptr_t{63}); }

/// What one thread needs for itself.
struct Bench {
  std::vector<float> wide, scores;
  float *room(std::vector<float> &v, int64_t count) {
    if (static_cast<int64_t>(v.size()) < count + 16) v.resize(count + 16);
    return aligned(v.data());
  }
};

/// Rows of activations, each beginning a cache line.
struct Rows {
  float *data = nullptr;
  int64_t step = 0;

  float *operator[](int64_t n) const { return data + n * step; }
};

/// Where a product's results go: y[n][o] = or += sum + bias.
struct Sink {
  const Product *product;
  Rows y;
  bool adds = false;
};

/// Outputs [first, last) of one product for all tokens. masks[n] says by bits which adapters act on token n.
void run(const Sink &sink, const Rows &x, int64_t tokens, const uint64_t *masks, int64_t first, int64_t last, Bench &bench) {
  const Product &p = *sink.product;
  bool adapted = masks && !p.adapters.empty();
  const float *scale = p.scale.defined() ? data<float>(p.scale) : nullptr;
  auto finish = [&](int64_t n, int64_t o, float sum) {
    if (scale) sum *= scale[o];
    if (adapted)
      for (const LowRank &a : p.adapters) {
        if (!(masks[n] >> a.bit & 1)) continue;
        with_type(a.up, [&](auto *up) {
          tile<1, 1>(a.inner + n * a.rank, 0, up + o * a.rank, 0, a.rank, [&](int, int, float s) { sum += a.scale * s; });
        });
        if (a.factor.defined()) sum *= data<float>(a.factor)[o];
      }
    if (p.bias.defined()) sum += element(p.bias, o);
    float &y = sink.y[n][o];
    y = sink.adds ? y + sum : sum;
  };
  with_type(p.weight, [&](auto *w) {
    float *room = tokens >= widening_rows ? bench.room(bench.wide, (last - first) * padded(p.width) + lanes) : nullptr;
    w += first * p.width;
    if (scale || adapted || p.bias.defined()) {
      blocked_products(x.data, tokens, x.step, w, last - first, p.width, room, [&](int64_t n, int64_t o, float s) { finish(n, first + o, s); });
    } else {
      float *y = sink.y.data + first;
      int64_t step = sink.y.step;
      if (sink.adds)
        blocked_products(x.data, tokens, x.step, w, last - first, p.width, room, [&](int64_t n, int64_t o, float s) { y[n * step + o] += s; });
      else
        blocked_products(x.data, tokens, x.step, w, last - first, p.width, room, [&](int64_t n, int64_t o, float s) { y[n * step + o] = s; });
    }
  });
}

/// Products of one input, their adapters' inner parts first.
void stage_products(Worker &worker, std::initializer_list<Sink> sinks, const Rows &x, int64_t tokens, const uint64_t *masks, Bench &bench) {
  int64_t ranks = 0, chunks = 0;
  for (const Sink &s : sinks) {
    if (masks)
      for (const LowRank &a : s.product->adapters) ranks += a.rank;
    chunks += s.product->chunks(worker.size);
  }
  if (ranks > 0)
    worker.each(ranks, [&](int64_t i) {
      for (const Sink &s : sinks)
        for (const LowRank &a : s.product->adapters) {
          if (i >= 0 && i < a.rank)
            with_type(a.down, [&](auto *down) {
              products(x.data, tokens, x.step, down + i * s.product->width, 1, s.product->width, s.product->width,
                       [&](int64_t n, int64_t, float sum) { a.inner[n * a.rank + i] = sum; });
            });
          i -= a.rank;
        }
    });
  worker.each(chunks, [&](int64_t i) {
    for (const Sink &s : sinks) {
      int64_t grain = s.product->grain(worker.size), count = s.product->chunks(worker.size);
      if (i < count) return run(s, x, tokens, masks, i * grain, std::min(s.product->outputs, (i + 1) * grain), bench);
      i -= count;
    }
  });
}

struct Layer {
  Product query, key, value, output, gate, up, down;
  Tensor input_norm, post_norm, query_norm, key_norm, keys, values;
  int64_t window;

  template <typename Body>
  void each(Body &&body) {
    for (Product *p : {&query, &key, &value, &output, &gate, &up, &down}) body(*p);
  }
};

/// Neighbouring tokens of one row.
struct TokenBlock {
  int64_t first, count;
};

struct DecodeStep {
  const ct_decode_call &c;
  std::vector<TokenBlock> blocks;
  std::vector<Layer> layers;
  Product head;
  Tensor embedding, norm, frequencies, logits;
  int64_t tokens, hidden, heads, groups, width, intermediate = 0;
  float epsilon;
  std::vector<float> &memory;
  Rows x, h, q, k, v, context, gate, up, cosine, sine, chosen;

  DecodeStep(const ct_decode_model &m, const ct_decode_call &call, std::vector<float> &memory)
      : c(call), head(m.head), embedding(tensor(m.embedding)), norm(tensor(m.norm)), frequencies(tensor(m.frequencies)), tokens(call.tokens),
        hidden(embedding.size(1)), heads(m.heads), groups(m.groups), width(m.width), epsilon(static_cast<float>(m.epsilon)), memory(memory) {
    for (int64_t i = 0; i < m.layer_count; i++) {
      const auto &l = m.layers[i];
      layers.push_back({Product(l.query), Product(l.key), Product(l.value), Product(l.output), Product(l.gate), Product(l.up), Product(l.down),
                        tensor(l.input_norm), tensor(l.post_norm), optional(l.query_norm), optional(l.key_norm), tensor(c.keys[i]), tensor(c.values[i]),
                        l.window});
    }
    if (!layers.empty()) intermediate = layers[0].gate.outputs;
    check();
    for (int64_t n = 0; n < tokens; n++) {
      bool joins = n > 0 && c.rows[n] == c.rows[n - 1] && c.positions[n] == c.positions[n - 1] + 1 && blocks.back().count < most_rows;
      if (joins)
        blocks.back().count++;
      else
        blocks.push_back({n, 1});
    }
    take_memory();
    logits = at::empty({c.wanted_count, head.outputs}, at::TensorOptions().dtype(at::kFloat));
  }

  void check() const {
    TORCH_CHECK(width % 2 == 0 && heads % groups == 0 && frequencies.numel() == width / 2, "decode: heads do not fit");
    TORCH_CHECK(embedding.is_contiguous() && embedding.is_cpu() && embedding.scalar_type() != at::kChar, "decode: no kernel for this embedding");
    int64_t capacity = INT64_MAX, slots = INT64_MAX;
    for (const Layer &l : layers) {
      for (const Tensor &cache : {l.keys, l.values})
        TORCH_CHECK(cache.dim() == 4 && cache.is_contiguous() && cache.is_cpu() && cache.size(1) == groups && cache.size(3) == width &&
                        (cache.scalar_type() == at::kFloat || cache.scalar_type() == at::kBFloat16),
                    "decode: a cache of ", cache.sizes(), " does not fit the model");
      slots = std::min(slots, l.keys.size(0));
      capacity = std::min(capacity, l.keys.size(2));
    }
    for (int64_t n = 0; n < tokens; n++) {
      TORCH_CHECK(c.ids[n] >= 0 && c.ids[n] < embedding.size(0), "decode: the id ", c.ids[n], " lies outside the vocabulary of ", embedding.size(0));
      TORCH_CHECK(c.rows[n] >= 0 && c.rows[n] < slots && c.positions[n] >= 0 && c.positions[n] < capacity, "decode: position ", c.positions[n], " of row ",
                  c.rows[n], " does not fit a cache of ", slots, " rows of ", capacity, " tokens");
    }
    for (int64_t i = 0; i < c.wanted_count; i++) TORCH_CHECK(c.wanted[i] >= 0 && c.wanted[i] < tokens, "decode: there is no token ", c.wanted[i]);
  }

  void take_memory() {
    int64_t inner = 0;
    auto count = [&](Product &p) { for (auto &a : p.adapters) inner += tokens * a.rank; };
    for (Layer &l : layers) l.each(count);
    struct Part {
      Rows *rows;
      int64_t count, width;
    } parts[] = {{&x, tokens, hidden}, {&h, tokens, hidden}, {&q, tokens, heads * width}, {&k, tokens, groups * width}, {&v, tokens, groups * width},
                 {&context, tokens, heads * width}, {&gate, tokens, intermediate}, {&up, tokens, intermediate}, {&cosine, tokens, width / 2},
                 {&sine, tokens, width / 2}, {&chosen, c.wanted_count, hidden}};
    int64_t sum = inner + 16;
    for (Part &part : parts) sum += part.count * (part.rows->step = padded(part.width));
    if (static_cast<int64_t>(memory.size()) < sum) memory.resize(sum);
    float *at = aligned(memory.data());
    for (Part &part : parts) {
      part.rows->data = at;
      at += part.count * part.rows->step;
    }
    auto give = [&](Product &p) {
      for (auto &a : p.adapters) {
        a.inner = at;
        at += tokens * a.rank;
      }
    };
    for (Layer &l : layers) l.each(give);
  }

  /// Multiplications of all tokens.
  int64_t work() {
    int64_t sum = c.wanted_count * head.weight.numel();
    for (Layer &l : layers) l.each([&](Product &p) { sum += tokens * p.weight.numel(); });
    return sum;
  }

  /// Enough for `run_all`: 9 a layer, 4 more where there are adapters, and 4 around the layers.
  size_t stage_count() const { return layers.size() * 16 + 8; }

  void norms(Worker &worker, const Tensor &weight) {
    worker.each(tokens, [&](int64_t n) { with_type(weight, [&](auto *w) { norm_row(x[n], w, hidden, epsilon, h[n]); }); });
  }

  /// Norm and rotation of one head in place.
  void turn(float *head_row, int64_t n, const Tensor &weight) const {
    if (weight.defined()) with_type(weight, [&](auto *w) { norm_row(head_row, w, width, epsilon, head_row); });
    int64_t half = width / 2;
    const float *cos = cosine[n], *sin = sine[n];
#pragma omp simd
    for (int64_t i = 0; i < half; i++) {
      float a = head_row[i], b = head_row[half + i];
      head_row[i] = a * cos[i] - b * sin[i];
      head_row[half + i] = b * cos[i] + a * sin[i];
    }
  }

  /// Token n's queries and keys are turned; its keys and values go into the cache.
  void keep(const Layer &l, int64_t n) const {
    for (int64_t i = 0; i < heads; i++) turn(q[n] + i * width, n, l.query_norm);
    for (int64_t g = 0; g < groups; g++) {
      turn(k[n] + g * width, n, l.key_norm);
      int64_t place = ((c.rows[n] * groups + g) * l.keys.size(2) + c.positions[n]) * width;
      with_type(l.keys, [&](auto *keys) { for (int64_t i = 0; i < width; i++) put_one(keys + place + i, k[n][g * width + i]); });
      with_type(l.values, [&](auto *values) { for (int64_t i = 0; i < width; i++) put_one(values + place + i, v[n][g * width + i]); });
    }
  }

  template <typename T>
  static void put_one(const T *place, float value) {
    if constexpr (std::is_same_v<T, int8_t>)
      (void)place, (void)value;
    else
      store(const_cast<T *>(place), value);
  }

  /// One group's attention for the tokens of a block: their queries share the keys, head by head; a token alone brings its group's heads.
  void attend_to(const Layer &l, const TokenBlock &block, int64_t g, Bench &bench) const {
    int64_t shared = heads / groups, first[most_rows], last[most_rows], n = block.first;
    for (int64_t i = 0; i < block.count; i++) {
      last[i] = c.positions[n + i] + 1;
      first[i] = l.window > 0 ? std::max<int64_t>(0, last[i] - l.window) : 0;
    }
    int64_t span = last[block.count - 1] - first[0], place = (c.rows[n] * groups + g) * l.keys.size(2) * width;
    float *scores = bench.room(bench.scores, most_rows * span + lanes), scale = 1.0f / std::sqrt(static_cast<float>(width));
    with_type(l.keys, [&](auto *keys) {
      using T = std::remove_const_t<std::remove_pointer_t<decltype(keys)>>;
      if constexpr (!std::is_same_v<T, int8_t>) {
        const T *k = keys + place, *v = data<T>(l.values) + place;
        if (block.count > 1) {
          for (int64_t h = g * shared; h < (g + 1) * shared; h++)
            attend<T>(q[n] + h * width, block.count, q.step, k, v, first, last, width, scale, scores, context[n] + h * width, context.step);
        } else {
          for (int64_t h = 0; h < shared; h += most_rows) {
            int64_t count = std::min<int64_t>(most_rows, shared - h), at = (g * shared + h) * width;
            for (int64_t i = 1; i < count; i++) first[i] = first[0], last[i] = last[0];
            attend<T>(q[n] + at, count, width, k, v, first, last, width, scale, scores, context[n] + at, width);
          }
        }
      }
    });
  }

  void run_all(Worker &worker) {
    Bench bench;
    const uint64_t *masks = c.adapters;
    worker.each(tokens, [&](int64_t n) {
      with_type(embedding, [&](auto *e) {
        if constexpr (sizeof(*e) > 1) for (int64_t i = 0; i < hidden; i++) x[n][i] = load(e + c.ids[n] * hidden + i);
      });
      const float *f = data<float>(frequencies);
      for (int64_t i = 0; i < width / 2; i++) {
        float angle = static_cast<float>(c.positions[n]) * f[i];
        cosine[n][i] = std::cos(angle);
        sine[n][i] = std::sin(angle);
      }
    });
    for (const Layer &l : layers) {
      norms(worker, l.input_norm);
      stage_products(worker, {{&l.query, q}, {&l.key, k}, {&l.value, v}}, h, tokens, masks, bench);
      worker.each(tokens, [&](int64_t n) { keep(l, n); });
      // The longest first, so that no thread is left with one at the end.
      int64_t count = static_cast<int64_t>(blocks.size());
      worker.each(count * groups, [&](int64_t i) { attend_to(l, blocks[count - 1 - i / groups], i % groups, bench); });
      stage_products(worker, {{&l.output, x, true}}, context, tokens, masks, bench);
      norms(worker, l.post_norm);
      stage_products(worker, {{&l.gate, gate}, {&l.up, up}}, h, tokens, masks, bench);
      int64_t parts = (intermediate + 1023) / 1024;
      worker.each(tokens * parts, [&](int64_t i) {
        float *g = gate[i / parts], *u = up[i / parts];
        int64_t end = std::min(intermediate, (i % parts + 1) * 1024);
#pragma omp simd
        for (int64_t j = i % parts * 1024; j < end; j++) g[j] = g[j] / (1.0f + exponential(-g[j])) * u[j];
      });
      stage_products(worker, {{&l.down, x, true}}, gate, tokens, masks, bench);
    }
    worker.each(c.wanted_count, [&](int64_t i) {
      with_type(norm, [&](auto *w) { norm_row(x[c.wanted[i]], w, hidden, epsilon, chosen[i]); });
    });
    if (c.wanted_count > 0) stage_products(worker, {{&head, {logits.data_ptr<float>(), head.outputs}}}, chosen, c.wanted_count, nullptr, bench);
  }
};

}  // namespace

ct_status decode_step(const ct_decode_model *model, const ct_decode_call *call, ct_tensor *logits) {
  return guarded([&] {
    at::NoGradGuard off;
    static thread_local std::vector<float> memory;
    DecodeStep step(*model, *call, memory);
    if (call->tokens > 0) {
      std::vector<Stage> stages(step.stage_count());
      // Waking threads costs more than a tiny step does.
      int wanted = step.work() < (int64_t{1} << 21) ? 1 : at::get_num_threads();
#pragma omp parallel num_threads(wanted) if (wanted > 1)
      {
        Worker worker{stages, omp_get_num_threads()};
        step.run_all(worker);
      }
    }
    *logits = handle(step.logits);
  });
}

ct_status quantize_rows(ct_tensor weight, ct_tensor *values, ct_tensor *scales) {
  return guarded([&] {
    at::NoGradGuard off;
    const Tensor &w = tensor(weight);
    TORCH_CHECK(w.dim() == 2, "quantize: a matrix is asked for");
    Tensor wide = w.to(at::kFloat);
    Tensor scale = wide.abs().amax(1).div(127).clamp_min(1e-30);
    *values = handle(wide.div(scale.unsqueeze(1)).round().clamp(-127, 127).to(at::kChar).contiguous());
    *scales = handle(scale.contiguous());
  });
}

}  // namespace ct
