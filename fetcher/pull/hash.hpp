// SHA-256 and SHA-512 of streams.
#pragma once

#include <memory>
#include <string_view>

#include "oci/digest.hpp"

struct evp_md_ctx_st;

namespace gantry::fetcher {

class Hasher {
 public:
  explicit Hasher(oci::Digest::Algorithm algorithm);

  void update(std::string_view data);
  // Of all that was given; the hasher is done then.
  oci::Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };

  oci::Digest::Algorithm algorithm_;
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

oci::Digest digestOf(std::string_view data, oci::Digest::Algorithm algorithm = oci::Digest::Algorithm::Sha256);
// The name under which a layer and all below it are kept (image-spec, config.md, "Layer ChainID"): `below` is the
// chain id of the layers below, empty for the lowest.
oci::Digest chainId(const oci::Digest& below, const oci::Digest& diffId);

}  // namespace gantry::fetcher
