// y = x · Wᵀ + b + s · (x · Aᵀ) · Bᵀ: a linear layer with a low-rank adapter. The product B · A is never made, the input is
// kept once for everybody who needs it, and not at all where neither W nor A trains.
#include "vector.h"

namespace ct {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

/// Products of one call, in f32 where the processor multiplies no bf16: then each operand is cast once for all of them.
struct Products {
  bool wide;
  at::ScalarType type;

  explicit Products(const Tensor &rows) : wide(products_in_f32(rows) && rows.size(0) >= 8), type(rows.scalar_type()) {}

  Tensor in(const Tensor &t) const { return wide ? t.to(at::kFloat) : t; }
  Tensor out(const Tensor &t) const { return wide ? t.to(type) : t; }
};

struct AdaptedLinear : torch::autograd::Function<AdaptedLinear> {
  // The bias comes last of the tensors: an absent one has no number among the inputs.
  static Tensor forward(AutogradContext *context, const Tensor &input, const Tensor &weight, const Tensor &down, const Tensor &up,
                        const std::optional<Tensor> &bias, double scale) {
    Tensor flat = input.reshape({-1, input.size(-1)});
    Products products(flat);
    flat = products.in(flat);
    Tensor output = at::mm(flat, products.in(weight).t());
    if (bias) output.add_(*bias);
    Tensor small = at::mm(flat, products.in(down).t());
    output.addmm_(small, products.in(up).t(), 1, scale);
    bool keepsInput = weight.requires_grad() || down.requires_grad();
    context->save_for_backward({keepsInput ? input : Tensor(), input.requires_grad() ? weight : Tensor(),
                                input.requires_grad() ? down : Tensor(), up, up.requires_grad() ? products.out(small) : Tensor()});
    auto shape = input.sizes().vec();
    context->saved_data["shape"] = shape;
    context->saved_data["bias"] = bias.has_value();
    context->saved_data["scale"] = scale;
    context->saved_data["counter"] = reinterpret_cast<int64_t>(&weight_products());
    shape.back() = weight.size(0);
    return products.out(output).view(shape);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    double scale = context->saved_data["scale"].toDouble();
    auto *counter = reinterpret_cast<std::atomic<int64_t> *>(context->saved_data["counter"].toInt());
    Tensor narrow = gradients[0].reshape({-1, gradients[0].size(-1)});
    Products products(narrow);
    Tensor flat = products.in(narrow);
    auto weightProduct = [&](const Tensor &a, const Tensor &b, double factor) {
      counter->fetch_add(1, std::memory_order_relaxed);
      Tensor made = at::mm(a, b);
      return products.out(factor == 1 ? made : made.mul_(factor));
    };
    bool wantsInput = context->needs_input_grad(0), wantsWeight = context->needs_input_grad(1), wantsDown = context->needs_input_grad(2);
    Tensor toInput, toWeight, toBias, toDown, toUp, toSmall, rows;
    if (wantsInput || wantsDown) toSmall = at::mm(flat, products.in(saved[3])).mul_(scale);
    if (wantsWeight || wantsDown) rows = products.in(saved[0].reshape({-1, saved[0].size(-1)}));
    if (wantsInput) {
      toInput = at::mm(flat, products.in(saved[1]));
      toInput.addmm_(toSmall, products.in(saved[2]));
      toInput = products.out(toInput).view(context->saved_data["shape"].toIntVector());
    }
    if (wantsWeight) toWeight = weightProduct(flat.t(), rows, 1);
    if (wantsDown) toDown = weightProduct(toSmall.t(), rows, 1);
    if (context->needs_input_grad(3)) toUp = weightProduct(flat.t(), products.in(saved[4]), scale);
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(4)) toBias = at::sum(narrow, {0});
    return {toInput, toWeight, toDown, toUp, toBias, Tensor()};
  }
};

}  // namespace

ct_status adapted_linear(ct_tensor input, ct_tensor weight, ct_tensor bias, ct_tensor down, ct_tensor up, double scale, ct_tensor *out) {
  return guarded([&] {
    if (!composed) {
      *out = handle(AdaptedLinear::apply(tensor(input), tensor(weight), tensor(down), tensor(up), given(bias), scale));
      return;
    }
    Tensor output = at::matmul(tensor(input), tensor(weight).t());
    if (bias.pointer) output = output + tensor(bias);
    *out = handle(output + at::matmul(at::matmul(tensor(input), tensor(down).t()), tensor(up).t()) * scale);
  });
}

}  // namespace ct
