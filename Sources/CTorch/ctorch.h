/* The contract between Holdfast and libtorch: types and one table of functions, nothing else.
 *
 * libctorch exports one symbol, ct_open. Engine opens the library at the first tensor and asks for the table of
 * its own version. Every function returns a status and writes its result through a pointer; when the status is
 * not 0, last_error() holds the message of this thread. A handle owns one reference to a tensor until release().
 * Shapes are arrays of int64_t. Nothing here assumes a CPU.
 */
#ifndef HOLDFAST_CTORCH_H
#define HOLDFAST_CTORCH_H

#include <stddef.h>
#include <stdint.h>

#ifndef __clang__
#define _Nonnull
#define _Nullable
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CT_VERSION 6 /* the table only grows at its end, so a library serves callers of every older version */

typedef int32_t ct_status; /* 0: fine */

/* One-field structs, so that Swift sees distinct types. */
typedef struct { void *_Nullable pointer; } ct_tensor;
typedef struct { void *_Nullable pointer; } ct_generator;

typedef struct { int32_t code; } ct_dtype;  /* see CT_F64 … */
enum { CT_F64 = 0, CT_F32 = 1, CT_BF16 = 2, CT_F16 = 3, CT_I64 = 4, CT_I32 = 5, CT_I16 = 6, CT_I8 = 7, CT_U8 = 8, CT_BOOL = 9 };

typedef struct { int32_t kind; int32_t index; } ct_device;
enum { CT_CPU = 0, CT_CUDA = 1, CT_MPS = 2 };

/* A stretch of a row whose tokens see one another and nothing else. */
typedef struct { int64_t row, start, length; } ct_segment;

/* What to do with the update that AdamW proposes for one tensor. Null pointers mean "nothing of the kind". */
typedef struct {
  ct_tensor row_scale;    /* f32 [rows]: the update of row r is scaled */
  ct_tensor column_scale; /* f32 [columns] */
  ct_tensor mask;         /* u8, shape of the tensor: 0 keeps the element's bits */
  ct_tensor reference;    /* f32 or bf16, shape of the tensor: pulled toward, decoupled from the moments */
  double pull;            /* strength: p -= rate * pull * (p - reference) */
} ct_update_rule;

typedef struct {
  double rate, beta1, beta2, epsilon, decay;
  double gradient_scale; /* the gradient is multiplied by this first (clipping) */
  int64_t step;          /* from 1 */
} ct_adamw;

/* How the head compares two distributions p (the model's) and q (another's), both at a temperature. */
typedef struct {
  int32_t reverse;    /* 0: KL(q || p); 1: KL(p || q) */
  int32_t masked;     /* 1: the label is taken out of both, which are normalised again */
  double temperature; /* the divergence is multiplied by its square */
} ct_divergence;

/* A low-rank adapter of one linear layer, as decoding reads it: y += scale · up·(down·x), then y ·= factor, for tokens whose
   mask has the bit. */
typedef struct {
  ct_tensor down, up; /* [rank, in], [out, rank] */
  ct_tensor factor;   /* f32 [out] or null */
  double scale;
  int32_t bit; /* 0 … 63 */
} ct_decode_adapter;

typedef struct {
  ct_tensor weight; /* [out, in]: f32, bf16, or int8 */
  ct_tensor scale;  /* f32 [out], for int8 alone */
  ct_tensor bias;   /* or null */
  const ct_decode_adapter *_Nullable adapters;
  int64_t adapter_count;
} ct_decode_linear;

typedef struct {
  ct_decode_linear query, key, value, output, gate, up, down;
  ct_tensor input_norm, post_norm;
  ct_tensor query_norm, key_norm; /* [head width] or null */
  int64_t window;                 /* 0: sees all */
} ct_decode_layer;

/* A decoder of the Llama kind on the CPU. */
typedef struct {
  ct_tensor embedding, norm, frequencies; /* frequencies f32 [head width / 2] */
  ct_decode_linear head;
  const ct_decode_layer *_Nullable layers;
  int64_t layer_count, heads, groups, width;
  double epsilon;
} ct_decode_model;

/* Tokens of any rows of a cache, those of a row together and in order. */
typedef struct {
  int64_t tokens;
  const int64_t *_Nonnull ids, *_Nonnull rows, *_Nonnull positions;
  const uint64_t *_Nullable adapters;        /* each token's adapters by bits; null: none */
  const ct_tensor *_Nonnull keys, *_Nonnull values; /* by layer: [rows, KV heads, capacity, width], f32 or bf16 */
  const int64_t *_Nonnull wanted;            /* the tokens whose logits are asked for */
  int64_t wanted_count;
} ct_decode_call;

/* How the distributions of several models become one; see Docs/emulated-fine-tuning.md. */
typedef struct {
  int32_t mode;      /* 0 reward: base + strength · Δ; 1 delta: expert + strength · (base − anti-expert) inside the set */
  double strength;
  double clip;       /* 0: none; Δ stays within ± this */
  double inside;     /* mode 1: mass of the expert's likeliest tokens that Δ acts on; 1: all */
  double base_top_p; /* 1: all; only the base's likeliest tokens of this mass may come */
  double plausible;  /* 0: all; only tokens of at least this share of the base's greatest probability may come */
  const double *_Nullable weights; /* of the experts */
} ct_mixture;

/* How a token is chosen. */
typedef struct {
  double temperature, top_p, min_p; /* 0 greedy; 1 all; 0 all */
  int64_t top_k;                    /* 0: all */
  double penalty;                   /* of ids that were there; 1: none */
  const int64_t *_Nullable seen;
  int64_t seen_count;
  const int64_t *_Nullable bias_ids;
  const double *_Nullable biases;
  int64_t bias_count;
  uint64_t key; /* noise is a function of key, position and id */
  int64_t position;
} ct_choice;

/* Called in the backward pass to run a block again: writes one output for one input. */
typedef ct_status (*ct_block)(void *_Nullable context, ct_tensor input, ct_tensor *_Nonnull output);

typedef struct {
  /* --- the library ------------------------------------------------------------------------------------ */
  const char *_Nonnull (*_Nonnull last_error)(void);
  const char *_Nonnull (*_Nonnull torch_version)(void);
  int64_t (*_Nonnull live_handles)(void);
  int64_t (*_Nonnull weight_gradient_products)(void); /* matrix products made so far for weight gradients of this thread's forward passes */
  ct_status (*_Nonnull set_threads)(int32_t count);
  int32_t (*_Nonnull threads)(void);
  ct_status (*_Nonnull device_count)(int32_t kind, int32_t *_Nonnull count);
  ct_status (*_Nonnull device_name)(ct_device device, char *_Nonnull text, size_t capacity);
  ct_status (*_Nonnull device_peak_bytes)(ct_device device, int64_t *_Nonnull bytes);
  ct_status (*_Nonnull synchronize)(ct_device device);
  ct_status (*_Nonnull set_deterministic)(int32_t on);

  /* --- handles, facts, host memory --------------------------------------------------------------------- */
  void (*_Nonnull release)(ct_tensor tensor);
  ct_status (*_Nonnull rank)(ct_tensor tensor, int64_t *_Nonnull rank);
  ct_status (*_Nonnull shape)(ct_tensor tensor, int64_t *_Nonnull sizes); /* rank entries */
  ct_status (*_Nonnull dtype)(ct_tensor tensor, ct_dtype *_Nonnull dtype);
  ct_status (*_Nonnull device)(ct_tensor tensor, ct_device *_Nonnull device);
  ct_status (*_Nonnull same_storage)(ct_tensor a, ct_tensor b, int32_t *_Nonnull same);
  ct_status (*_Nonnull from_host)(const void *_Nullable data, ct_dtype dtype, const int64_t *_Nullable sizes, int64_t rank,
                                  ct_device device, ct_tensor *_Nonnull out);
  /* No copy: `data` must stay until `done(context)` is called. */
  ct_status (*_Nonnull from_mapped)(const void *_Nonnull data, ct_dtype dtype, const int64_t *_Nullable sizes, int64_t rank,
                                    void (*_Nonnull done)(void *_Nullable), void *_Nullable context, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull to_host)(ct_tensor tensor, void *_Nonnull data, int64_t bytes);
  ct_status (*_Nonnull full)(const int64_t *_Nullable sizes, int64_t rank, double value, ct_dtype dtype, ct_device device,
                             ct_tensor *_Nonnull out);
  ct_status (*_Nonnull arange)(int64_t start, int64_t end, ct_device device, ct_tensor *_Nonnull out); /* I64 */

  /* --- random numbers ----------------------------------------------------------------------------------- */
  ct_status (*_Nonnull generator)(ct_device device, uint64_t seed, ct_generator *_Nonnull out);
  void (*_Nonnull release_generator)(ct_generator generator);
  ct_status (*_Nonnull normal)(const int64_t *_Nullable sizes, int64_t rank, double mean, double deviation, ct_generator generator,
                               ct_dtype dtype, ct_device device, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull uniform)(const int64_t *_Nullable sizes, int64_t rank, ct_generator generator, ct_dtype dtype,
                                ct_device device, ct_tensor *_Nonnull out);

  /* --- autograd ------------------------------------------------------------------------------------------ */
  ct_status (*_Nonnull set_requires_grad)(ct_tensor tensor, int32_t on);
  ct_status (*_Nonnull requires_grad)(ct_tensor tensor, int32_t *_Nonnull on);
  int32_t (*_Nonnull enable_grad)(int32_t on); /* this thread; returns what it was */
  ct_status (*_Nonnull backward)(ct_tensor loss);
  ct_status (*_Nonnull take_grad)(ct_tensor tensor, ct_tensor *_Nonnull out); /* null handle: there is none */
  ct_status (*_Nonnull recompute)(ct_block _Nonnull block, void (*_Nonnull done)(void *_Nullable), void *_Nullable context,
                                  ct_tensor input, ct_tensor *_Nonnull out);

  /* --- elementwise ---------------------------------------------------------------------------------------- */
  ct_status (*_Nonnull add)(ct_tensor a, ct_tensor b, double scale, ct_tensor *_Nonnull out); /* a + scale·b */
  ct_status (*_Nonnull multiply)(ct_tensor a, ct_tensor b, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull divide)(ct_tensor a, ct_tensor b, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull affine)(ct_tensor a, double scale, double shift, ct_tensor *_Nonnull out); /* scale·a + shift */
  ct_status (*_Nonnull exponential)(ct_tensor a, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull logarithm)(ct_tensor a, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull absolute)(ct_tensor a, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull square_root)(ct_tensor a, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull sine)(ct_tensor a, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull cosine)(ct_tensor a, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull sigmoid)(ct_tensor a, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull silu)(ct_tensor a, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull cast)(ct_tensor a, ct_dtype dtype, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull to_device)(ct_tensor a, ct_device device, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull detach)(ct_tensor a, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull clone)(ct_tensor a, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull select_where)(ct_tensor condition, ct_tensor a, ct_tensor b, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull less)(ct_tensor a, ct_tensor b, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull equals)(ct_tensor a, ct_tensor b, ct_tensor *_Nonnull out);

  /* --- shape ----------------------------------------------------------------------------------------------- */
  ct_status (*_Nonnull reshape)(ct_tensor a, const int64_t *_Nullable sizes, int64_t rank, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull transpose)(ct_tensor a, int64_t first, int64_t second, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull slice)(ct_tensor a, int64_t axis, int64_t start, int64_t end, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull expand)(ct_tensor a, const int64_t *_Nullable sizes, int64_t rank, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull concatenate)(const ct_tensor *_Nonnull parts, int64_t count, int64_t axis, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull index_select)(ct_tensor a, int64_t axis, ct_tensor index, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull gather)(ct_tensor a, int64_t axis, ct_tensor index, ct_tensor *_Nonnull out);

  /* --- reductions ------------------------------------------------------------------------------------------- */
  ct_status (*_Nonnull sum)(ct_tensor a, int64_t axis, int32_t all, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull maximum)(ct_tensor a, int64_t axis, int32_t all, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull argmax)(ct_tensor a, int64_t axis, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull softmax)(ct_tensor a, int64_t axis, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull log_softmax)(ct_tensor a, int64_t axis, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull squared_norm)(const ct_tensor *_Nonnull parts, int64_t count, double *_Nonnull out);
  ct_status (*_Nonnull same_bits)(ct_tensor a, ct_tensor b, int32_t *_Nonnull same);
  ct_status (*_Nonnull largest_difference)(ct_tensor a, ct_tensor b, double *_Nonnull out); /* NaN counts as infinite */
  ct_status (*_Nonnull item)(ct_tensor a, double *_Nonnull out);

  /* --- in place ----------------------------------------------------------------------------------------------- */
  ct_status (*_Nonnull copy_into)(ct_tensor target, ct_tensor source);
  ct_status (*_Nonnull add_into)(ct_tensor target, ct_tensor source, double scale);
  ct_status (*_Nonnull scale_in_place)(ct_tensor target, double scale);
  /* target[row, :, at[row] ..< at[row] + block] = source[row], for a KV cache of [rows, heads, capacity, width] */
  ct_status (*_Nonnull write_cache)(ct_tensor target, ct_tensor source, const int64_t *_Nonnull at);

  /* --- layers (composed from libtorch's own operations) --------------------------------------------------------- */
  ct_status (*_Nonnull matmul)(ct_tensor a, ct_tensor b, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull embedding)(ct_tensor weight, ct_tensor ids, ct_tensor *_Nonnull out);

  /* --- kernels (Shim/kernels; `composed` asks for the fallback that the tests compare with, on this thread) ------------------------ */
  ct_status (*_Nonnull set_composed)(int32_t on);
  ct_status (*_Nonnull linear)(ct_tensor input, ct_tensor weight, ct_tensor bias, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull rms_norm)(ct_tensor input, ct_tensor weight, double epsilon, ct_tensor *_Nonnull out);
  /* input [tokens, heads, width], cosine and sine [tokens, width / 2] in f32: halves are the pairs */
  ct_status (*_Nonnull rotary)(ct_tensor input, ct_tensor cosine, ct_tensor sine, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull swiglu)(ct_tensor gate, ct_tensor up, ct_tensor *_Nonnull out);
  /* query [rows, length, heads, width], key and value [rows, length, KV heads, width]; causal inside each segment,
     window > 0: a token sees itself and the window - 1 before it. Rows outside every segment give zeros. */
  ct_status (*_Nonnull attention)(ct_tensor query, ct_tensor key, ct_tensor value, const ct_segment *_Nonnull segments, int64_t count,
                                  int64_t window, double scale, ct_tensor *_Nonnull out);
  /* query [rows, block, heads, width] against caches [rows, KV heads, capacity, width]; row r's block begins at lengths[r] */
  ct_status (*_Nonnull cached_attention)(ct_tensor query, ct_tensor key, ct_tensor value, const int64_t *_Nonnull lengths,
                                         int64_t window, double scale, ct_tensor *_Nonnull out);
  /* hidden [tokens, width], weight [vocabulary, width], labels I64 [tokens] (negative: none), weights f32 [tokens] or null.
     Sum over labels of weight × negative log-likelihood, f32 []. Logits never exist whole. */
  ct_status (*_Nonnull head_loss)(ct_tensor hidden, ct_tensor weight, ct_tensor labels, ct_tensor weights, ct_tensor *_Nonnull out);
  /* log-probability of each label, f32 [tokens], 0 where there is none; no gradient. best: I64 [tokens], the likeliest id */
  ct_status (*_Nonnull head_scores)(ct_tensor hidden, ct_tensor weight, ct_tensor labels, ct_tensor *_Nonnull log_probabilities,
                                    ct_tensor *_Nonnull best);
  /* master f32 (or f64) in place; image: its rounded copy in the model's type, or null */
  ct_status (*_Nonnull adamw)(ct_tensor master, ct_tensor image, ct_tensor gradient, ct_tensor first, ct_tensor second,
                              ct_adamw settings, ct_update_rule rule);

  /* Since version 2: puts a block's own words in this thread's message before it reports a failure. */
  void (*_Nonnull fail)(const char *_Nonnull text);

  /* Since version 3. u8 of the shape of `values`: 1 for the `count` entries of the largest magnitude; equals of the
     smallest of them count too. */
  ct_status (*_Nonnull largest)(ct_tensor values, int64_t count, ct_tensor *_Nonnull out);
  /* sign(a) · max(|a| − threshold, 0) */
  ct_status (*_Nonnull soft_shrink)(ct_tensor a, double threshold, ct_tensor *_Nonnull out);
  /* bool: a > b, element by element */
  ct_status (*_Nonnull greater)(ct_tensor a, ct_tensor b, ct_tensor *_Nonnull out);
  ct_status (*_Nonnull sign)(ct_tensor a, ct_tensor *_Nonnull out);

  /* Since version 4. The head with two losses in one pass: Σ ce_weight · cross entropy (ce) + Σ kl_weight · divergence (kl) = total, of
     which alone there is a gradient, to hidden and weight. Every token has a label. ce_weights or null, kl_weights f32 [tokens];
     other_hidden [tokens, other width] and other_weight [vocabulary, other width] are the other model's. */
  ct_status (*_Nonnull head_terms)(ct_tensor hidden, ct_tensor weight, ct_tensor labels, ct_tensor ce_weights, ct_tensor other_hidden,
                                   ct_tensor other_weight, ct_tensor kl_weights, ct_divergence settings, ct_tensor *_Nonnull total,
                                   ct_tensor *_Nonnull ce, ct_tensor *_Nonnull kl);
  /* f32 [tokens]: entropy of the `count` likeliest continuations, normalised among themselves, nats; no gradient */
  ct_status (*_Nonnull head_entropy)(ct_tensor hidden, ct_tensor weight, int64_t count, ct_tensor *_Nonnull out);

  /* Since version 5. A linear layer with a low-rank adapter: x·Wᵀ + bias + scale·(x·downᵀ)·upᵀ; down [rank, in], up [out, rank] */
  ct_status (*_Nonnull adapted_linear)(ct_tensor input, ct_tensor weight, ct_tensor bias, ct_tensor down, ct_tensor up, double scale,
                                       ct_tensor *_Nonnull out);

  /* Since version 6. One step of a whole decoder over a cache, in which it writes keys and values: logits f32 [wanted, vocabulary].
     Every row's numbers are the same whatever else shares the call. */
  ct_status (*_Nonnull decode_step)(const ct_decode_model *_Nonnull model, const ct_decode_call *_Nonnull call, ct_tensor *_Nonnull logits);
  /* weight ≈ scale · values: int8 [out, in], f32 [out] */
  ct_status (*_Nonnull quantize_rows)(ct_tensor weight, ct_tensor *_Nonnull values, ct_tensor *_Nonnull scales);
  /* Members' logits f32 [*, vocabulary of the member], in the order base, experts, anti-expert; null handles for members that are not
     there. places [positions, members]: the row of each. maps: by member an id for each of `vocabulary` ids, or null for the same ids;
     kinds u8 [vocabulary] or null: 0 all know the id, 1 the base alone, 2 the experts alone, 3 nobody. Gives scores f32 [positions,
     vocabulary], whose softmax is the mixture, and facts [positions, 2 + members]: log Z, total variation between mixture and experts,
     then each member's log Σ exp. */
  ct_status (*_Nonnull mix)(const ct_mixture *_Nonnull mixtures, int64_t positions, const ct_tensor *_Nonnull logits, int64_t members,
                            const int64_t *_Nonnull places, const int64_t *_Nullable const *_Nullable maps, const uint8_t *_Nullable kinds,
                            int64_t vocabulary, ct_tensor *_Nonnull scores, double *_Nonnull facts);
  /* Chooses a token for each row of scores. processed, where asked for: what penalties, temperature and filters make of the scores */
  ct_status (*_Nonnull choose)(ct_tensor scores, const ct_choice *_Nonnull choices, int64_t *_Nonnull tokens, ct_tensor *_Nullable processed);
  /* The `count` largest of a row of scores, falling */
  ct_status (*_Nonnull likeliest)(ct_tensor scores, int64_t row, int64_t count, int64_t *_Nonnull ids, double *_Nonnull values);
  /* Single elements of an f32 matrix on the CPU */
  ct_status (*_Nonnull elements)(ct_tensor scores, const int64_t *_Nonnull rows, const int64_t *_Nonnull columns, int64_t count,
                                 double *_Nonnull values);
} ct_api;

/* The table, or null when the library is older than its caller. */
const ct_api *_Nullable ct_open(int32_t version);

#ifdef __cplusplus
}
#endif
#endif
