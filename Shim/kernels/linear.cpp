// y = x · Wᵀ + b, computing only the gradients asked for and counting the products made for weights.
#include "vector.h"

namespace ct {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct Linear : torch::autograd::Function<Linear> {
  static Tensor forward(AutogradContext *context, const Tensor &input, const Tensor &weight,
                        const std::optional<Tensor> &bias) {
    // What a frozen side would need is not kept: a frozen weight keeps no input, a leaf input keeps no weight.
    context->save_for_backward({weight.requires_grad() ? input : Tensor(), input.requires_grad() ? weight : Tensor()});
    auto shape = input.sizes().vec();
    context->saved_data["shape"] = shape;
    Tensor flat = input.reshape({-1, input.size(-1)});
    Tensor output = product(flat, weight.t());
    if (bias) output = output.add_(*bias);
    context->saved_data["bias"] = bias.has_value();
    context->saved_data["counter"] = reinterpret_cast<int64_t>(&weight_products());
    shape.back() = weight.size(0);
    return output.view(shape);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    Tensor flat = gradients[0].reshape({-1, gradients[0].size(-1)});
    Tensor toInput, toWeight, toBias;
    if (context->needs_input_grad(0)) toInput = product(flat, saved[1]).view(context->saved_data["shape"].toIntVector());
    if (context->needs_input_grad(1)) {
      auto *counter = reinterpret_cast<std::atomic<int64_t> *>(context->saved_data["counter"].toInt());
      counter->fetch_add(1, std::memory_order_relaxed);
      toWeight = product(flat.t(), saved[0].reshape({-1, saved[0].size(-1)}));
    }
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) toBias = at::sum(flat, {0}) /* accumulates in f32 or wider */;
    return {toInput, toWeight, toBias};
  }
};

}  // namespace

ct_status linear(ct_tensor input, ct_tensor weight, ct_tensor bias, ct_tensor *out) {
  return guarded([&] { *out = handle(Linear::apply(tensor(input), tensor(weight), given(bias))); });
}

}  // namespace ct
