#include "msg/msg.h"
