# SPDX-License-Identifier: BSD-2-Clause
"""What the tests and the demonstration share: servers, certificates, clocks, messages."""
