// The table of functions: everything that is libtorch's own, one crossing an operation. Kernels have files of their own.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/custom_class.h>
#include <torch/version.h>

#include <atomic>
#include <cmath>
#include <cstring>

#include "common.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#ifdef HOLDFAST_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace ct {

thread_local std::string message;
thread_local bool composed = false;
static std::atomic<int64_t> live{0};

std::atomic<int64_t> &weight_products() {
  thread_local auto *count = new std::atomic<int64_t>(0);
  return *count;
}

ct_tensor handle(Tensor tensor) {
  auto *pointer = new Tensor(std::move(tensor));
  live.fetch_add(1, std::memory_order_relaxed);
  return {pointer};
}

std::vector<Tensor> list(const ct_tensor *parts, int64_t count) {
  std::vector<Tensor> result;
  result.reserve(count);
  for (int64_t i = 0; i < count; i++) result.push_back(tensor(parts[i]));
  return result;
}

static const at::ScalarType types[] = {at::kDouble, at::kFloat, at::kBFloat16, at::kHalf, at::kLong,
                                       at::kInt,    at::kShort, at::kChar,     at::kByte, at::kBool};

at::ScalarType scalar_type(ct_dtype dtype) {
  TORCH_CHECK(dtype.code >= 0 && dtype.code <= CT_BOOL, "no element type has the code ", dtype.code);
  return types[dtype.code];
}

ct_dtype dtype_code(at::ScalarType type) {
  for (int32_t i = 0; i <= CT_BOOL; i++)
    if (types[i] == type) return {i};
  TORCH_CHECK(false, "a tensor has the element type ", toString(type), ", which Holdfast does not use");
}

c10::Device device(ct_device device) {
  switch (device.kind) {
    case CT_CPU: return c10::Device(c10::kCPU);
    case CT_CUDA: return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(device.index));
    case CT_MPS: return c10::Device(c10::kMPS);
    default: TORCH_CHECK(false, "no device has the code ", device.kind);
  }
}

/// Whether this processor multiplies bfloat16 in hardware.
static bool has_bf16_products() {
#if defined(__x86_64__)
  unsigned a, b, c, d;
  bool avx512 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
  bool amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
  return avx512 || amx;
#else
  return true;
#endif
}

bool products_in_f32(const Tensor &t) {
  static const bool slow = !has_bf16_products();
  return slow && t.is_cpu() && t.scalar_type() == at::kBFloat16;
}

Tensor product(const Tensor &a, const Tensor &b) {
  // Below a few rows the product is bound by reading the weights once, and casting them would double that.
  if (products_in_f32(a) && a.size(0) >= 8 && b.size(1) >= 8)
    return at::mm(a.to(at::kFloat), b.to(at::kFloat)).to(a.scalar_type());
  return at::mm(a, b);
}

namespace {

at::TensorOptions options(ct_dtype dtype, ct_device on) { return at::TensorOptions().dtype(scalar_type(dtype)).device(device(on)); }

at::Generator &random(ct_generator generator) { return *static_cast<at::Generator *>(generator.pointer); }

template <typename Operation>
ct_status produce(ct_tensor *out, Operation &&operation) noexcept {
  return guarded([&] { *out = handle(operation()); });
}

void drop(ct_tensor handle) {
  delete static_cast<Tensor *>(handle.pointer);
  live.fetch_sub(1, std::memory_order_relaxed);
}

/// A block of the caller's, and its context until nobody needs it any more.
struct Block : torch::CustomClassHolder {
  ct_block block;
  void (*done)(void *);
  void *context;

  Block(ct_block block, void (*done)(void *), void *context) : block(block), done(done), context(context) {}
  ~Block() override { done(context); }

  Tensor run(const Tensor &input) const {
    ct_tensor argument = handle(input), made{nullptr};
    ct_status status = block(context, argument, &made);
    drop(argument);
    TORCH_CHECK(status == 0, message);
    Tensor output = tensor(made);
    drop(made);
    return output;
  }
};

/// Activation recomputation: the block runs again in the backward pass instead of keeping what it made on the way.
/// `anchor` asks for a gradient, so that a block of trained weights is entered though its input needs none.
struct Recompute : torch::autograd::Function<Recompute> {
  static Tensor forward(torch::autograd::AutogradContext *context, const Tensor &input, const Tensor &anchor,
                        const c10::intrusive_ptr<Block> &block) {
    (void)anchor;
    context->save_for_backward({input});
    context->saved_data["block"] = c10::IValue::make_capsule(block);
    at::NoGradGuard off;
    return block->run(input.detach());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
    auto capsule = context->saved_data["block"].toCapsule();
    const Block &block = static_cast<const Block &>(*capsule);
    Tensor input = context->get_saved_variables()[0].detach();
    bool wanted = context->needs_input_grad(0);
    if (wanted) input.requires_grad_();
    at::AutoGradMode on(true);
    Tensor output = block.run(input);
    if (output.requires_grad()) torch::autograd::backward({output}, {gradients[0]});
    return {wanted ? input.grad() : Tensor(), Tensor(), Tensor()};
  }
};

ct_status recompute(ct_block block, void (*done)(void *), void *context, ct_tensor input, ct_tensor *out) {
  auto holder = c10::make_intrusive<Block>(block, done, context);
  return produce(out, [&] {
    if (!at::GradMode::is_enabled()) return holder->run(tensor(input));
    Tensor anchor = at::zeros({}, at::TensorOptions().dtype(at::kFloat)).requires_grad_();
    return Recompute::apply(tensor(input), anchor, holder);
  });
}

/// Each row's block is written at that row's own length.
ct_status write_cache(ct_tensor target, ct_tensor source, const int64_t *where) {
  return guarded([&] {
    at::NoGradGuard off;
    Tensor &cache = tensor(target), &block = tensor(source);
    for (int64_t row = 0; row < block.size(0); row++)
      cache[row].narrow(1, where[row], block.size(2)).copy_(block[row]);
  });
}

bool bits_equal(const Tensor &a, const Tensor &b) {
  if (a.scalar_type() != b.scalar_type() || !a.sizes().equals(b.sizes())) return false;
  Tensor x = a.detach().cpu().contiguous(), y = b.detach().cpu().contiguous();
  return std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0;
}

const ct_api api = {
    .last_error = [] { return message.c_str(); },
    .torch_version = [] { return TORCH_VERSION; },
    .live_handles = [] { return live.load(); },
    .weight_gradient_products = [] { return weight_products().load(); },
    .set_threads = [](int32_t count) { return guarded([&] { at::set_num_threads(count); }); },
    .threads = [] { return static_cast<int32_t>(at::get_num_threads()); },
    .device_count =
        [](int32_t kind, int32_t *count) {
          return guarded([&] {
            *count = kind == CT_CPU    ? 1
                     : kind == CT_CUDA ? (at::hasCUDA() ? static_cast<int32_t>(at::detail::getCUDAHooks().deviceCount()) : 0)
                                       : (at::hasMPS() ? 1 : 0);
          });
        },
    .device_name =
        [](ct_device on, char *text, size_t capacity) {
          return guarded([&] {
            std::string name = device(on).str();
#ifdef HOLDFAST_CUDA
            if (on.kind == CT_CUDA) name = at::cuda::getDeviceProperties(on.index)->name;
#endif
            std::strncpy(text, name.c_str(), capacity - 1);
            text[capacity - 1] = 0;
          });
        },
    .device_peak_bytes =
        [](ct_device on, int64_t *bytes) {
          return guarded([&] {
            *bytes = 0;
#ifdef HOLDFAST_CUDA
            if (on.kind == CT_CUDA)
              *bytes = c10::cuda::CUDACachingAllocator::getDeviceStats(on.index)
                           .allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)]
                           .peak;
#else
            (void)on;
#endif
          });
        },
    .synchronize =
        [](ct_device on) {
          return guarded([&] {
#ifdef HOLDFAST_CUDA
            if (on.kind == CT_CUDA) c10::cuda::device_synchronize();
#endif
            if (on.kind == CT_MPS) at::detail::getMPSHooks().deviceSynchronize();
          });
        },
    .set_deterministic = [](int32_t on) { return guarded([&] { at::globalContext().setDeterministicAlgorithms(on, true); }); },

    .release =
        [](ct_tensor handle) {
          if (!handle.pointer) return;
          drop(handle);
        },
    .rank = [](ct_tensor a, int64_t *rank) { return guarded([&] { *rank = tensor(a).dim(); }); },
    .shape =
        [](ct_tensor a, int64_t *out) {
          return guarded([&] {
            auto s = tensor(a).sizes();
            std::copy(s.begin(), s.end(), out);
          });
        },
    .dtype = [](ct_tensor a, ct_dtype *out) { return guarded([&] { *out = dtype_code(tensor(a).scalar_type()); }); },
    .device =
        [](ct_tensor a, ct_device *out) {
          return guarded([&] {
            auto on = tensor(a).device();
            out->kind = on.is_cuda() ? CT_CUDA : on.is_mps() ? CT_MPS : CT_CPU;
            out->index = on.has_index() ? on.index() : 0;
          });
        },
    .same_storage =
        [](ct_tensor a, ct_tensor b, int32_t *same) {
          return guarded([&] { *same = tensor(a).is_alias_of(tensor(b)); });
        },
    .from_host =
        [](const void *data, ct_dtype dtype, const int64_t *shape, int64_t rank, ct_device on, ct_tensor *out) {
          return produce(out, [&] {
            Tensor host = at::empty(sizes(shape, rank), at::TensorOptions().dtype(scalar_type(dtype)));
            if (host.numel() > 0) std::memcpy(host.data_ptr(), data, host.nbytes());
            return on.kind == CT_CPU ? host : host.to(device(on));
          });
        },
    .from_mapped =
        [](const void *data, ct_dtype dtype, const int64_t *shape, int64_t rank, void (*done)(void *), void *context, ct_tensor *out) {
          return produce(out, [&] {
            return at::from_blob(const_cast<void *>(data), sizes(shape, rank), [=](void *) { done(context); },
                                 at::TensorOptions().dtype(scalar_type(dtype)));
          });
        },
    .to_host =
        [](ct_tensor a, void *data, int64_t bytes) {
          return guarded([&] {
            Tensor host = tensor(a).detach().cpu().contiguous();
            TORCH_CHECK(static_cast<int64_t>(host.nbytes()) == bytes, "a tensor of ", host.nbytes(), " bytes was read as ", bytes);
            if (bytes > 0) std::memcpy(data, host.const_data_ptr(), bytes);
          });
        },
    .full =
        [](const int64_t *shape, int64_t rank, double value, ct_dtype dtype, ct_device on, ct_tensor *out) {
          return produce(out, [&] { return at::full(sizes(shape, rank), value, options(dtype, on)); });
        },
    .arange =
        [](int64_t start, int64_t end, ct_device on, ct_tensor *out) {
          return produce(out, [&] { return at::arange(start, end, options({CT_I64}, on)); });
        },

    .generator =
        [](ct_device on, uint64_t seed, ct_generator *out) {
          return guarded([&] {
            at::Generator generator = on.kind == CT_CPU ? at::make_generator<at::CPUGeneratorImpl>(seed)
                                                        : at::globalContext().defaultGenerator(device(on)).clone();
            generator.set_current_seed(seed);
            out->pointer = new at::Generator(generator);
          });
        },
    .release_generator = [](ct_generator generator) { delete static_cast<at::Generator *>(generator.pointer); },
    .normal =
        [](const int64_t *shape, int64_t rank, double mean, double deviation, ct_generator generator, ct_dtype dtype, ct_device on,
           ct_tensor *out) {
          return produce(out, [&] { return at::empty(sizes(shape, rank), options(dtype, on)).normal_(mean, deviation, random(generator)); });
        },
    .uniform =
        [](const int64_t *shape, int64_t rank, ct_generator generator, ct_dtype dtype, ct_device on, ct_tensor *out) {
          return produce(out, [&] { return at::empty(sizes(shape, rank), options(dtype, on)).uniform_(0, 1, random(generator)); });
        },

    .set_requires_grad = [](ct_tensor a, int32_t on) { return guarded([&] { tensor(a).requires_grad_(on != 0); }); },
    .requires_grad = [](ct_tensor a, int32_t *on) { return guarded([&] { *on = tensor(a).requires_grad(); }); },
    .enable_grad =
        [](int32_t on) {
          int32_t was = at::GradMode::is_enabled();
          at::GradMode::set_enabled(on != 0);
          return was;
        },
    .backward = [](ct_tensor loss) { return guarded([&] { torch::autograd::backward({tensor(loss)}, {}); }); },
    .take_grad =
        [](ct_tensor a, ct_tensor *out) {
          return guarded([&] {
            Tensor &gradient = tensor(a).mutable_grad();
            out->pointer = nullptr;
            if (!gradient.defined()) return;
            *out = handle(gradient);
            gradient.reset();
          });
        },
    .recompute = recompute,

    .add = [](ct_tensor a, ct_tensor b, double scale, ct_tensor *out) { return produce(out, [&] { return at::add(tensor(a), tensor(b), scale); }); },
    .multiply = [](ct_tensor a, ct_tensor b, ct_tensor *out) { return produce(out, [&] { return at::mul(tensor(a), tensor(b)); }); },
    .divide = [](ct_tensor a, ct_tensor b, ct_tensor *out) { return produce(out, [&] { return at::div(tensor(a), tensor(b)); }); },
    .affine =
        [](ct_tensor a, double scale, double shift, ct_tensor *out) {
          return produce(out, [&] {
            Tensor scaled = scale == 1 ? tensor(a) : tensor(a) * scale;
            return shift == 0 ? (scale == 1 ? scaled.clone() : scaled) : scaled + shift;
          });
        },
    .exponential = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return at::exp(tensor(a)); }); },
    .logarithm = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return at::log(tensor(a)); }); },
    .absolute = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return at::abs(tensor(a)); }); },
    .square_root = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return at::sqrt(tensor(a)); }); },
    .sine = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return at::sin(tensor(a)); }); },
    .cosine = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return at::cos(tensor(a)); }); },
    .sigmoid = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return at::sigmoid(tensor(a)); }); },
    .silu = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return at::silu(tensor(a)); }); },
    .cast = [](ct_tensor a, ct_dtype dtype, ct_tensor *out) { return produce(out, [&] { return tensor(a).to(scalar_type(dtype)); }); },
    .to_device = [](ct_tensor a, ct_device on, ct_tensor *out) { return produce(out, [&] { return tensor(a).to(device(on)); }); },
    .detach = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return tensor(a).detach(); }); },
    .clone = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return tensor(a).clone(at::MemoryFormat::Contiguous); }); },
    .select_where =
        [](ct_tensor condition, ct_tensor a, ct_tensor b, ct_tensor *out) {
          return produce(out, [&] { return at::where(tensor(condition), tensor(a), tensor(b)); });
        },
    .less = [](ct_tensor a, ct_tensor b, ct_tensor *out) { return produce(out, [&] { return at::lt(tensor(a), tensor(b)); }); },
    .equals = [](ct_tensor a, ct_tensor b, ct_tensor *out) { return produce(out, [&] { return at::eq(tensor(a), tensor(b)); }); },

    .reshape = [](ct_tensor a, const int64_t *shape, int64_t rank, ct_tensor *out) { return produce(out, [&] { return at::reshape(tensor(a), sizes(shape, rank)); }); },
    .transpose = [](ct_tensor a, int64_t first, int64_t second, ct_tensor *out) { return produce(out, [&] { return at::transpose(tensor(a), first, second); }); },
    .slice =
        [](ct_tensor a, int64_t axis, int64_t start, int64_t end, ct_tensor *out) {
          return produce(out, [&] { return tensor(a).narrow(axis, start, end - start); });
        },
    .expand = [](ct_tensor a, const int64_t *shape, int64_t rank, ct_tensor *out) { return produce(out, [&] { return tensor(a).expand(sizes(shape, rank)); }); },
    .concatenate =
        [](const ct_tensor *parts, int64_t count, int64_t axis, ct_tensor *out) {
          return produce(out, [&] { return at::cat(list(parts, count), axis); });
        },
    .index_select = [](ct_tensor a, int64_t axis, ct_tensor index, ct_tensor *out) { return produce(out, [&] { return at::index_select(tensor(a), axis, tensor(index)); }); },
    .gather = [](ct_tensor a, int64_t axis, ct_tensor index, ct_tensor *out) { return produce(out, [&] { return at::gather(tensor(a), axis, tensor(index)); }); },

    .sum = [](ct_tensor a, int64_t axis, int32_t all, ct_tensor *out) { return produce(out, [&] { return all ? at::sum(tensor(a)) : at::sum(tensor(a), {axis}); }); },
    .maximum = [](ct_tensor a, int64_t axis, int32_t all, ct_tensor *out) { return produce(out, [&] { return all ? at::max(tensor(a)) : at::amax(tensor(a), {axis}); }); },
    .argmax = [](ct_tensor a, int64_t axis, ct_tensor *out) { return produce(out, [&] { return at::argmax(tensor(a), axis); }); },
    .softmax = [](ct_tensor a, int64_t axis, ct_tensor *out) { return produce(out, [&] { return at::softmax(tensor(a), axis); }); },
    .log_softmax = [](ct_tensor a, int64_t axis, ct_tensor *out) { return produce(out, [&] { return at::log_softmax(tensor(a), axis); }); },
    .squared_norm =
        [](const ct_tensor *parts, int64_t count, double *out) {
          return guarded([&] {
            at::NoGradGuard off;
            // In double and in the order given: the same bits whatever else changes. Read from the device once.
            std::vector<Tensor> sums;
            for (int64_t i = 0; i < count; i++) {
              Tensor flat = tensor(parts[i]).reshape({-1});
              Tensor norm = at::linalg_vector_norm(flat, 2, at::nullopt, false, at::kDouble);
              sums.push_back(norm * norm);
            }
            *out = count ? at::stack(sums).sum().item<double>() : 0;
          });
        },
    .same_bits = [](ct_tensor a, ct_tensor b, int32_t *same) { return guarded([&] { *same = bits_equal(tensor(a), tensor(b)); }); },
    .largest_difference =
        [](ct_tensor a, ct_tensor b, double *out) {
          return guarded([&] {
            at::NoGradGuard off;
            TORCH_CHECK(tensor(a).sizes().equals(tensor(b).sizes()), "shapes ", tensor(a).sizes(), " and ", tensor(b).sizes(), " differ");
            *out = 0;
            if (tensor(a).numel() == 0) return;
            double d = (tensor(a).cpu().to(at::kDouble) - tensor(b).cpu().to(at::kDouble)).abs().max().item<double>();
            *out = std::isnan(d) ? INFINITY : d;
          });
        },
    .item = [](ct_tensor a, double *out) { return guarded([&] { *out = tensor(a).detach().to(at::kDouble).item<double>(); }); },

    .copy_into = [](ct_tensor target, ct_tensor source) { return guarded([&] { at::NoGradGuard off; tensor(target).copy_(tensor(source)); }); },
    .add_into = [](ct_tensor target, ct_tensor source, double scale) { return guarded([&] { at::NoGradGuard off; tensor(target).add_(tensor(source), scale); }); },
    .scale_in_place = [](ct_tensor target, double scale) { return guarded([&] { at::NoGradGuard off; tensor(target).mul_(scale); }); },
    .write_cache = write_cache,

    .matmul = [](ct_tensor a, ct_tensor b, ct_tensor *out) { return produce(out, [&] { return at::matmul(tensor(a), tensor(b)); }); },
    .embedding = [](ct_tensor weight, ct_tensor ids, ct_tensor *out) { return produce(out, [&] { return at::embedding(tensor(weight), tensor(ids)); }); },

    .set_composed = [](int32_t on) { composed = on != 0; return 0; },
    .linear = linear,
    .rms_norm = rms_norm,
    .rotary = rotary,
    .swiglu = swiglu,
    .attention = attention,
    .cached_attention = cached_attention,
    .head_loss = head_loss,
    .head_scores = head_scores,
    .adamw = adamw,
    .fail = [](const char *text) { message = text; },

    .largest =
        [](ct_tensor values, int64_t count, ct_tensor *out) {
          return produce(out, [&] {
            at::NoGradGuard off;
            Tensor size = tensor(values).abs();
            if (size.scalar_type() == at::kBFloat16) size = size.to(at::kFloat);
            TORCH_CHECK(count >= 0 && count <= size.numel(), "largest: ", count, " of ", size.numel(), " entries");
            if (count == 0) return at::zeros(size.sizes(), size.options().dtype(at::kByte));
            Tensor least = std::get<0>(at::kthvalue(size.reshape({-1}), size.numel() - count + 1));
            return (size >= least).to(at::kByte);
          });
        },
    .soft_shrink = [](ct_tensor a, double threshold, ct_tensor *out) { return produce(out, [&] { return at::softshrink(tensor(a), threshold); }); },
    .greater = [](ct_tensor a, ct_tensor b, ct_tensor *out) { return produce(out, [&] { return at::gt(tensor(a), tensor(b)); }); },
    .sign = [](ct_tensor a, ct_tensor *out) { return produce(out, [&] { return at::sign(tensor(a)); }); },

    .head_terms = head_terms,
    .head_entropy = head_entropy,

    .adapted_linear = adapted_linear,

    .decode_step = decode_step,
    .quantize_rows = quantize_rows,
    .mix = mix,
    .choose = choose,
    .likeliest = likeliest,
    .elements = elements,
};

}  // namespace
}  // namespace ct

extern "C" __attribute__((visibility("default"))) const ct_api *ct_open(int32_t version) {
  return version >= 1 && version <= CT_VERSION ? &ct::api : nullptr;
}
